/** Where the bridge keeps what is to outlive a restart of the machine, if the configuration names no other place. */

/** Debian's and systemd's place for a service of this name. */
const SYSTEM = "/var/lib/pfxbridge";

/** Under systemd the folder that the unit names with StateDirectory=; of several, the first. */
export function stateFolder(): string {
  const [first] = (process.env.STATE_DIRECTORY ?? "").split(":");
  return first || SYSTEM;
}
