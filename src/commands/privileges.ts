/**
 * From root to an ordinary user, for good: the user, its group and its supplementary groups.
 *
 * Done after the sockets are bound and before any code that an administrator wrote (a module mapping) is loaded.
 */
import { userInfo } from "node:os";
import type { Config } from "../config/config.ts";
import { runsAsRoot } from "../config/permissions.ts";

/**
 * As root, becomes the `user` of the configuration, if it names one.
 *
 * @throws with a message that names the key, when the user or group is unknown or the rights stay
 */
export function becomeUser({ user, group }: Pick<Config, "user" | "group">): void {
  if (user !== undefined && runsAsRoot()) dropPrivileges(user, group);
}

/**
 * Becomes `user`; without `group`, in the user's own group.
 *
 * @throws with a message that names the configuration key, when the user or group is unknown or the rights stay
 */
function dropPrivileges(user: string, group?: string): void {
  const { setgid, setuid, seteuid } = process;
  if (!setgid || !setuid || !seteuid) {
    throw new Error("user: this system knows no users to change to; remove the key");
  }
  let gid: string | number;
  try {
    const primary = primaryGroup(user);
    gid = group ?? primary;
  } catch {
    throw new Error(`user: there is no user "${user}" on this machine; create it, or name another`);
  }
  try {
    initgroups(user, gid);
    setgid.call(process, gid);
  } catch {
    throw new Error(`group: there is no group "${gid}" on this machine; create it, or name another`);
  }
  setuid.call(process, user);
  if (runsAsRoot()) throw new Error(`user: "${user}" has root's rights; name an ordinary user`);
}

/** Sets the supplementary groups to those of the user; @types/node does not know it. */
function initgroups(user: string, gid: string | number): void {
  (process as typeof process & { initgroups(user: string, extraGroup: string | number): void }).initgroups(
    user,
    gid,
  );
}

/** Asks the system's own user database, LDAP and the like included, which Node only opens for the current user. */
function primaryGroup(user: string): number {
  process.seteuid?.(user);
  try {
    return userInfo().gid;
  } finally {
    process.seteuid?.(0);
  }
}
