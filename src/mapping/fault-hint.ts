/** What a SOAP Fault that is no answer says, for the log; and where its code has a known reason, what to look at. */
import { oneLine } from "../text/one-line.ts";
import type { SoapFault } from "./soap.ts";

/** Of the reason, which may be a whole stack trace, in characters. */
const LONGEST = 160;

const CREDENTIALS = "look at username and password under auth.ws_security";
const SHAPE = "look at type, nonce, created and timestamp under auth.ws_security; the clocks may differ, too";
const ACTION = "look at soap.action of the mapping";

/** SOAP 1.1 §4.4.1, SOAP 1.2 part 1 §5.4.6; SOAP Message Security 1.1 §12; WS-Addressing 1.0 SOAP Binding §6.4. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ["VersionMismatch", "the service speaks another version of SOAP: look at soap.version of the mapping"],
  [
    "MustUnderstand",
    "the service does not know a header that it must understand: look at must_understand under auth.ws_security",
  ],
  ["FailedAuthentication", CREDENTIALS],
  ["FailedCheck", CREDENTIALS],
  ["InvalidSecurity", SHAPE],
  ["InvalidSecurityToken", SHAPE],
  ["UnsupportedSecurityToken", SHAPE],
  ["SecurityTokenUnavailable", SHAPE],
  ["MessageExpired", "the clocks of this host and of the service may differ, or timestamp is too short"],
  ["MessageAddressingHeaderRequired", "write addressing: true under soap of the mapping"],
  ["InvalidAddressingHeader", "the service takes other WS-Addressing headers than those of addressing: true"],
  ["ActionNotSupported", ACTION],
  ["ActionMismatch", ACTION],
  ["DestinationUnreachable", "the service knows itself by another address than its url here"],
]);

/** @returns one line */
export function faultHint({ code, subcode, reason }: SoapFault): string {
  const remedy = REMEDIES.get(subcode) ?? REMEDIES.get(code);
  const name = oneLine(subcode === "" ? code : `${code} (${subcode})`, LONGEST);
  return ` (a SOAP Fault ${name}: ${oneLine(reason, LONGEST)}${remedy === undefined ? "" : `; ${remedy}`})`;
}
