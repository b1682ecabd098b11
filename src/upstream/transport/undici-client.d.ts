/** One file of undici that its types don't name; http1.ts says why it alone is loaded. */
declare module "undici/lib/dispatcher/client.js" {
  import type { Client } from "undici";

  const UndiciClient: typeof Client;
  export default UndiciClient;
}
