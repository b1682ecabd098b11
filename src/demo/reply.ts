/** What the demo's interfaces give back to its HTTP server. */
export interface DemoReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}
