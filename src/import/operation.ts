/** An operation of a service, as a description tells it: how it is called, and what comes back. */
import type { SoapVersion } from "../mapping/render/envelope.ts";
import type { Member, Shape } from "./shape.ts";

export interface Operation {
  /** As it is named to --operation. */
  readonly id: string;
  /** For people: `Check of MailAuthorization`. */
  readonly title: string;
  /** The service's `url`; empty where the description does not say it. */
  readonly url: string;
  readonly call: SoapCall | HttpCall;
  readonly reply: DescribedReply;
  /** How the service wants to be shown who asks: lines of configuration, with words as comments. */
  readonly auth: readonly string[];
  /** What else the administrator should know. */
  readonly notes: readonly string[];
}

export interface SoapCall {
  readonly kind: "soap";
  readonly version: SoapVersion;
  readonly action: string;
  /** The elements inside Body. */
  readonly body: readonly Member[];
  /** The elements inside Header that must be there. */
  readonly header: readonly Member[];
  /** The rules of the encoding, of style rpc/encoded: the attribute `encodingStyle`. */
  readonly encoding?: string;
}

export interface HttpCall {
  readonly kind: "http";
  readonly method: string;
  /** With `{name}` where `parameters` go. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: HttpBody | null;
}

export interface Parameter extends Member {
  readonly place: "path" | "query" | "header";
}

export interface HttpBody {
  readonly kind: "json" | "form" | "text";
  /** As the description names it. */
  readonly type: string;
  readonly shape: Shape;
}

export interface DescribedReply {
  readonly kind: "soap" | "json" | "text";
  /** What `body` is in the rules. */
  readonly shape: Shape;
}
