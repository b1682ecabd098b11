/** What an administrator does with a mapping that was imported: decides at each `# CHOOSE:`, and changes nothing else. */

export interface Choices {
  /** What is filled in where nothing was guessed, by the name behind CHOOSE; else what the examples have. */
  readonly values?: Readonly<Record<string, string>>;
  /** What the service says when it permits, and when it denies; where the description does not say it. */
  readonly permit?: string;
  readonly deny?: string;
  /** The member that holds the decision, where the description leaves its name open. */
  readonly member?: string;
}

/** The mapping with every choice made, each as it is proposed. */
export function choose(
  mapping: string,
  { values = {}, permit = "Permit", deny = "Deny", member = "" }: Choices = {},
): string {
  const samples = new Map(
    [...mapping.matchAll(/^\s+"?CHOOSE ([^":\n]+)"?: (.*)$/gm)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]),
  );
  const chosenFor = (name: string) => values[name] ?? samples.get(name)?.replace(/^"(.*)"$/, "$1") ?? "";
  return (
    mapping
      .replace(/\$\{attributes\["CHOOSE ([^"]+)"\]\}/g, (_, name: string) => chosenFor(name))
      .replace(/\$\{(?:int|double)\(attributes\["CHOOSE ([^"]+)"\]\)\}/g, (_, name: string) =>
        chosenFor(name),
      )
      .replace(/\$\{attributes\["CHOOSE ([^"]+)"\] == "true"\}/g, (_, name: string) => chosenFor(name))
      // A rule: the action that is proposed in place of the failure.
      .replace(
        /# CHOOSE: .*perhaps `(action: .*)`\n(\s+- when: .*\n)\s+failure: bad_reply\n\s+detail: .*\n/g,
        (_, action: string, when: string) => `# chosen\n${when}    ${action}\n`,
      )
      // An example: the same.
      .replace(/# CHOOSE: .*perhaps `(action: .*)`\n\s+failure: bad_reply\n/g, "$1\n")
      // The example of the call no longer knows what was chosen.
      .replace(/# CHOOSE: the same values[^\n]*\n {4}expect:\n(?: {6}.*\n)+/g, "\n")
      .replace(/\.CHOOSE\b/g, `.${member}`)
      .replace(/^(\s+)CHOOSE: /gm, `$1${member}: `)
      .replaceAll("CHOOSE permit", permit)
      .replaceAll("CHOOSE deny", deny)
  );
}
