/**
 * Users and groups by name, as /etc/passwd and /etc/group have them (passwd(5), group(5)): Node can only
 * change an owner by number. A name or number in, a number out, or a problem. Accounts that are elsewhere
 * (LDAP, say) are to be given by number.
 */
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";

type Lookup = number | { readonly problem: string };

/** The user id of a name, or of a number as text. */
export function findUser(user: string, file = "/etc/passwd"): Promise<Lookup> {
  return find("user", user, file);
}

/** The group id of a name, or of a number as text. */
export function findGroup(group: string, file = "/etc/group"): Promise<Lookup> {
  return find("group", group, file);
}

async function find(kind: "user" | "group", name: string, file: string): Promise<Lookup> {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const text = await readFile(file, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const [found, , id] = line.split(":");
    if (found === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return { problem: `there is no ${kind} "${name}" in ${file}; create it, or give the ${kind}'s number` };
}

/**
 * As root, a user's number and primary group from the system's own database, LDAP and the like included, which Node opens
 * for the current user only. Undefined where there is none of this name.
 */
export function systemUser(user: string): { readonly uid: number; readonly gid: number } | undefined {
  try {
    process.seteuid?.(user);
    const { uid, gid } = userInfo();
    return { uid, gid };
  } catch {
    return undefined;
  } finally {
    process.seteuid?.(0);
  }
}
