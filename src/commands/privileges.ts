/**
 * From root to an ordinary user, for good: the user, its group and its supplementary groups.
 *
 * Done after the sockets are bound and before any code that an administrator wrote (a module mapping) is loaded.
 */
import type { Config } from "../config/config.ts";
import { runsAsRoot } from "../files/hands.ts";
import type { LoadedMapping } from "../mapping/load.ts";
import { systemUser } from "../postfix/accounts.ts";

/**
 * As root, becomes the `user` of the configuration, if it names one.
 *
 * @returns whether it did
 * @throws with a message that names the key, when the user or group is unknown or the rights stay
 */
export function becomeUser({ user, group }: Pick<Config, "user" | "group">): boolean {
  if (user === undefined || !runsAsRoot()) return false;
  dropPrivileges(user, group);
  return true;
}

/**
 * The same for a command that only looks: where a mapping would run code of its own and no `user` is named, it becomes
 * nobody. Root has no business in such code.
 *
 * @throws as `becomeUser` does
 */
export function becomeHarmless(config: {
  readonly user?: string;
  readonly group?: string;
  readonly mappings: readonly Pick<LoadedMapping, "isModule">[];
}): void {
  const needsNobody = config.user === undefined && config.mappings.some(({ isModule }) => isModule);
  becomeUser(needsNobody ? { user: "nobody" } : config);
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
  const account = systemUser(user);
  if (account === undefined) {
    throw new Error(`user: there is no user "${user}" on this machine; create it, or name another`);
  }
  const gid = group ?? account.gid;
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
