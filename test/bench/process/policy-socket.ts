/**
 * A policy client's side, as cheap as Node allows: a request that is laid out beforehand, in which only the sender's digits
 * are changed, and a socket that reads into a buffer which all share.
 */
import { createConnection, type Socket } from "node:net";

const DIGITS = 10;
const BEFORE_DIGITS =
  "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nhelo_name=mail.example.net\nqueue_id=\nsender=u";
const AFTER_DIGITS = `@example.net
recipient=someone@example.org
recipient_count=0
client_address=192.0.2.17
client_name=mail.example.net
reverse_client_name=mail.example.net
instance=1f3a.66b1c5d2.8a3f2.0
sasl_method=
sasl_username=
sasl_sender=
size=12345
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
etrn_domain=
stress=
client_port=50123
policy_context=
server_address=192.0.2.25
server_port=25
compatibility_level=3.6
mail_version=3.7.11

`;

export interface Request {
  /** Its bytes, with the sender of that number; the same buffer each time. */
  from(sender: number): Buffer;
}

export function requestOf(): Request {
  const bytes = Buffer.from(BEFORE_DIGITS + "0".repeat(DIGITS) + AFTER_DIGITS, "latin1");
  return {
    from(sender) {
      let rest = sender;
      for (let at = BEFORE_DIGITS.length + DIGITS - 1; at >= BEFORE_DIGITS.length; at--) {
        bytes[at] = 48 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
      return bytes;
    },
  };
}

const receiving = Buffer.allocUnsafe(64 * 1024);

/** Nothing is allocated for what comes in: all connections read into one buffer. */
export function connect(port: number, onData: (chunk: Buffer, length: number) => void): Socket {
  const onread = {
    buffer: receiving,
    callback: (length: number, chunk: Uint8Array) => {
      onData(chunk as Buffer, length);
      return true;
    },
  };
  const socket = createConnection({ host: "127.0.0.1", port, noDelay: true, onread });
  socket.on("error", () => {});
  return socket;
}
