/**
 * Completions for bash and zsh, made from what the commands say of themselves (help.ts): commands, options, files where one is
 * taken, names of mappings. Names of services are read from the configuration when they are asked for, as far as it can be read.
 */
import type { CommandHelp, CommandOption } from "./help.ts";

/** Commands whose arguments are services of the configuration. */
const OF_SERVICES = ["offline", "online"];
/** Commands whose arguments are attributes of a policy request. */
const OF_ATTRIBUTES = ["try", "forget"];
const ATTRIBUTES = [
  "protocol_state",
  "client_address",
  "client_name",
  "helo_name",
  "sender",
  "recipient",
  "sasl_username",
  "size",
  "policy_context",
];

/** The names under `services:`, where they stand as people write them. Nothing when the file cannot be read. */
const SERVICES_IN = `awk '/^services:/ { on = 1; next } /^[^ #]/ { on = 0 } on && match($0, /^ +[A-Za-z0-9_.-]+:/) { if (!deep) deep = match($0, /[^ ]/); if (match($0, /[^ ]/) == deep) { sub(/^ +/, ""); sub(/:.*/, ""); print } }'`;
const CONFIG = "/etc/pfxbridge/pfxbridge.yaml";

export interface CompletionOptions {
  readonly commands: readonly CommandHelp[];
  /** The names of the shipped mappings. */
  readonly mappings: readonly string[];
}

/** For /usr/share/bash-completion/completions/pfxbridge. */
export function bashCompletion({ commands, mappings }: CompletionOptions): string {
  const names = commands.map(({ name }) => name).join(" ");
  const cases = commands.map(({ name, options, words }) => {
    const flags = options.flatMap((option) => [option.name, ...(option.short ? [option.short] : [])]);
    return `    ${name}) flags="${[...flags, "--help"].join(" ")}" words="${wordsOf(name, words, mappings)}" ;;`;
  });
  return `# Completion of pfxbridge for bash. Made from what the commands say of themselves.
_pfxbridge_services() {
  local file=${CONFIG} n
  for ((n = 1; n < COMP_CWORD; n++)); do
    case \${COMP_WORDS[n]} in -c | --config) file=\${COMP_WORDS[n + 1]} ;; esac
  done
  [ -r "$file" ] && ${SERVICES_IN} "$file"
}

_pfxbridge() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} flags words
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${names} --help --version' -- "$current")
    return
  fi
  case $command in
${cases.join("\n")}
    *) return ;;
  esac
  case $command:$previous in
${valueCases(commands)}
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    return
  fi
  case $command in
    ${OF_SERVICES.join(" | ")}) words=$(_pfxbridge_services) ;;
    ${OF_ATTRIBUTES.join(" | ")}) compopt -o nospace 2>/dev/null ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  case $command in check | cache | import) mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;; esac
}
complete -F _pfxbridge -o filenames pfxbridge
`;
}

function valueCases(commands: readonly CommandHelp[]): string {
  const lines = commands.flatMap(({ name, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map((option) => {
        const words = [option.name, ...(option.short ? [option.short] : [])].map((word) => `${name}:${word}`);
        return `    ${words.join(" | ")}) ${bashValue(option)} ;;`;
      }),
  );
  return lines.join("\n");
}

function bashValue({ value }: CommandOption): string {
  if (value === "SERVICE")
    return 'mapfile -t COMPREPLY < <(compgen -W "$(_pfxbridge_services)" -- "$current"); return';
  if (value === "ENDPOINT") return 'mapfile -t COMPREPLY < <(compgen -W "inet: unix:" -- "$current"); return';
  if (isFile(value)) return 'mapfile -t COMPREPLY < <(compgen -f -- "$current"); return';
  return "return";
}

/** For /usr/share/zsh/vendor-completions/_pfxbridge. */
export function zshCompletion({ commands, mappings }: CompletionOptions): string {
  const list = commands.map(
    ({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`,
  );
  const cases = commands.map(({ name, options, words }) => {
    const specs = options.flatMap(zshOptions);
    const all = [
      ...specs,
      quoted("(- *)--help[what it does]"),
      quoted(zshArguments(name, wordsOf(name, words, mappings))),
    ];
    return `    ${name})\n      _arguments -s ${all.join(" \\\n        ")} ;;`;
  });
  return `#compdef pfxbridge
# Completion of pfxbridge for zsh. Made from what the commands say of themselves.
_pfxbridge_services() {
  local file=\${opt_args[--config]:-\${opt_args[-c]:-${CONFIG}}}
  local -a services
  [[ -r $file ]] && services=(\${(f)"$(${SERVICES_IN} $file)"})
  compadd -a services
}

_pfxbridge() {
  local context state line
  typeset -A opt_args
  local -a commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT -= 1 ))
  case $command in
${cases.join("\n")}
  esac
}

_pfxbridge "$@"
`;
}

function zshOptions({ name, short, value, summary }: CommandOption): string[] {
  const text = summary.replaceAll(/[[\]]/g, "");
  const action = value === undefined ? "" : `:${value.toLowerCase()}:${zshValue(value)}`;
  return short === undefined
    ? [quoted(`${name}[${text}]${action}`)]
    : [
        quoted(`(${short} ${name})${short}[${text}]${action}`),
        quoted(`(${short} ${name})${name}[${text}]${action}`),
      ];
}

function zshValue(value: string): string {
  if (value === "SERVICE") return "_pfxbridge_services";
  if (value === "ENDPOINT") return "(inet: unix:)";
  return isFile(value) ? "_files" : "";
}

function zshArguments(name: string, words: string): string {
  if (OF_SERVICES.includes(name)) return "*:service:_pfxbridge_services";
  if (OF_ATTRIBUTES.includes(name)) return `*:attribute:compadd -S "" -- ${words}`;
  if (words === "") return "*:file:_files";
  return name === "mappings" ? `*:mapping:(${words})` : `*:argument:{compadd -- ${words}; _files}`;
}

function wordsOf(name: string, words: readonly string[], mappings: readonly string[]): string {
  if (name === "mappings") return mappings.join(" ");
  if (name === "check") return mappings.join(" ");
  if (OF_ATTRIBUTES.includes(name)) return ATTRIBUTES.map((attribute) => `${attribute}=`).join(" ");
  return words.join(" ");
}

function isFile(value: string | undefined): boolean {
  return value !== undefined && /FILE|PATH/.test(value);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
