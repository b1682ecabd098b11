/**
 * WS-Addressing 1.0 of a SOAP call, and what else only one attempt has in the Header of its envelope.
 *
 * Action and ReplyTo are rendered with the call. To and MessageID are put in when an attempt goes out, with the blocks of
 * `auth`: they are no part of the call by which replies are remembered, and a service that has seen a MessageID or a
 * nonce may refuse it the second time.
 */
import { randomUUID } from "node:crypto";
import { xmlText } from "./escape.ts";

const NAMESPACE = "http://www.w3.org/2005/08/addressing";
/** The reply comes on the connection of the call (WS-Addressing 1.0 Core §2.1). */
const ANONYMOUS = `${NAMESPACE}/anonymous`;

/** @param action pieces of XML text */
export function actionBlock<Piece>(action: readonly Piece[]): (string | Piece)[] {
  return [
    `<wsa:Action xmlns:wsa="${NAMESPACE}">`,
    ...action,
    `</wsa:Action><wsa:ReplyTo xmlns:wsa="${NAMESPACE}"><wsa:Address>${ANONYMOUS}</wsa:Address></wsa:ReplyTo>`,
  ];
}

/** What an envelope takes with each attempt. */
export interface Seal {
  /** Whether there is something of its own, also without blocks of others. */
  readonly addressing: boolean;
  /**
   * The envelope as one attempt sends it.
   *
   * @param url the whole address of the attempt
   * @param blocks of others for its Header
   */
  seal(envelope: string, url: string, blocks: string): string;
}

/** @param add puts blocks into the Header of an envelope */
export function createSeal(add: (envelope: string, blocks: string) => string, addressing: boolean): Seal {
  const own = addressing ? destination : () => "";
  return { addressing, seal: (envelope, url, blocks) => add(envelope, own(url) + blocks) };
}

function destination(url: string): string {
  const id = `urn:uuid:${randomUUID()}`;
  return `<wsa:To xmlns:wsa="${NAMESPACE}">${xmlText(url)}</wsa:To><wsa:MessageID xmlns:wsa="${NAMESPACE}">${id}</wsa:MessageID>`;
}
