/** What an endpoint of the bridge's own answers over HTTP: JSON, text, or lines that follow one another. */

type Headers = Readonly<Record<string, string>>;

export type Reply =
  | { readonly status: number; readonly json: object; readonly headers?: Headers }
  | { readonly status: number; readonly text: string; readonly type: string; readonly headers?: Headers }
  | { readonly status: 200; readonly lines: AsyncIterable<string> };

/** A refusal, or trouble, in one sentence. */
export function failure(status: number, error: string): Reply & { readonly json: object } {
  return { status, json: { error } };
}
