/** The hosts file: names that are known without asking a name server (hosts(5)). */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { ownTrouble } from "./errors.ts";

/**
 * Gives the addresses that the file has for a name, in the file's order; none where it cannot be read.
 *
 * @throws Error that is this machine's own trouble
 */
export async function addressesInHosts(file: string, name: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (ownTrouble(error) !== null) throw error;
    return [];
  }
  const wanted = name.toLowerCase();
  const addresses: string[] = [];
  for (const line of text.split("\n")) {
    const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (address === undefined || isIP(address) === 0) continue;
    if (names.some((one) => one.toLowerCase() === wanted)) addresses.push(address);
  }
  return addresses;
}
