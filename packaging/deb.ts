/**
 * Makes the Debian package: dist/deb/pfxbridge_VERSION_ARCH.deb, or in the folder that is named. `npm run deb`, on Debian with
 * debhelper, after `npm ci`.
 *
 * What goes into it is gathered in a folder of its own, built already, with deploy/debian as its debian/; debhelper does the rest.
 * The architecture is that of this machine, since modules bring compiled code.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { copyright } from "./copyright.ts";
import { loadedModules } from "./modules.ts";

/** Compiled, this file is dist/packaging/deb.js. */
const ROOT = join(import.meta.dirname, "../..");
const OUTPUT = resolve(process.argv[2] ?? join(ROOT, "dist/deb"));
const STAGE = join(OUTPUT, "build");

/** Of deploy/, what the package is made with. All else is in /usr/share/doc/pfxbridge/deploy, where README's links lead. */
const NOT_SHOWN = ["debian", "man"];
/** Of a module, what runs. */
const RUNS = /\.(js|cjs|mjs|json|node|wasm|proto)$/;
/** Of a module, what only its authors need. */
const NOT_NEEDED = ["test", "tests", "docs", "benchmarks", "bench", "examples", "deps", "prebuilds-src"];

const { version, files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
/** 1.0.0-rc.1 comes before 1.0.0: for dpkg that is 1.0.0~rc.1. */
const debianVersion = `${String(version).replace("-", "~")}-1`;

for (const [tool, from] of [
  ["dh", "debhelper"],
  ["dpkg-buildpackage", "dpkg-dev"],
] as const) {
  if (spawnSync(tool, ["--version"]).error !== undefined) {
    console.error(`npm run deb: ${tool} is not there: apt-get install ${from}`);
    process.exit(1);
  }
}
rmSync(STAGE, { recursive: true, force: true });
gatherCommand();
gatherDocuments();
gatherDebian();
build();
console.log(
  join(OUTPUT, `pfxbridge_${debianVersion}_${process.arch === "x64" ? "amd64" : process.arch}.deb`),
);

/** Shows what debhelper said only where it failed. */
function build(): void {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch()) };
  const { status, output } = spawnSync("dpkg-buildpackage", ["-b", "-us", "-uc", "-d"], {
    cwd: STAGE,
    env,
    encoding: "utf8",
  });
  if (status !== 0) {
    console.error(
      `${output.join("")}\nnpm run deb: dpkg-buildpackage failed; what it worked on is in ${STAGE}`,
    );
    process.exit(1);
  }
  rmSync(STAGE, { recursive: true });
}

/** The command, its mappings and the modules that it loads: /usr/lib/pfxbridge. */
function gatherCommand(): void {
  const lib = join(STAGE, "lib");
  const own = (files as string[]).filter((file) => !/^(!|dist\/share|deploy|\w+\.md)/.test(file));
  for (const file of ["package.json", ...own]) copy(join(ROOT, file), join(lib, file));
  const main = join(lib, "dist/main.js");
  writeFileSync(main, readFileSync(main, "utf8").replace(/^#!.*/, "#!/usr/bin/node"));
  for (const { path } of loadedModules(ROOT)) {
    const from = join(ROOT, path);
    cpSync(from, join(lib, path), { recursive: true, filter: (source) => isNeeded(source, from) });
  }
}

/** Nested modules come by themselves, where they are needed. */
function isNeeded(source: string, module: string): boolean {
  const within = source.slice(module.length);
  if (/\/node_modules$/.test(within)) return false;
  if (statSync(source).isDirectory()) return !NOT_NEEDED.includes(basename(source));
  if (source.endsWith(".node"))
    return !source.includes("musl") && machineOf(source) === machineOf(process.execPath);
  return RUNS.test(source);
}

/** ELF's e_machine; compiled code of another machine has another one, that of another system none. */
function machineOf(file: string): number | undefined {
  const head = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  readSync(descriptor, head, 0, 20, 0);
  closeSync(descriptor);
  return head.toString("latin1", 0, 4) === "\x7fELF" ? head.readUInt16LE(18) : undefined;
}

function gatherDocuments(): void {
  const share = join(ROOT, "dist/share");
  copy(join(share, "man"), join(STAGE, "man"));
  copy(join(share, "sbom.cdx.json"), join(STAGE, "sbom.cdx.json"));
  copy(join(share, "completions/_pfxbridge"), join(STAGE, "_pfxbridge"));
  copy(join(share, "completions/pfxbridge.bash"), join(STAGE, "share/bash-completion/completions/pfxbridge"));
  copy(join(ROOT, "README.md"), join(STAGE, "documents/README.md"));
  copy(join(ROOT, "CHANGELOG.md"), join(STAGE, "CHANGELOG.md"));
  copy(join(ROOT, "mappings/README.md"), join(STAGE, "documents/mappings/README.md"));
  for (const name of readdirSync(join(ROOT, "deploy")).filter((name) => !NOT_SHOWN.includes(name)))
    copy(join(ROOT, "deploy", name), join(STAGE, "documents/deploy", name));
  copy(join(ROOT, "deploy/pfxbridge.yaml"), join(STAGE, "pfxbridge.yaml"));
}

function gatherDebian(): void {
  const debian = join(STAGE, "debian");
  copy(join(ROOT, "deploy/debian"), debian);
  for (const unit of ["pfxbridge.service", "pfxbridge.socket"])
    copy(join(ROOT, "deploy/systemd", unit), join(debian, unit));
  copy(join(ROOT, "deploy/logrotate/pfxbridge"), join(debian, "pfxbridge.logrotate"));
  const control = join(debian, "control");
  writeFileSync(control, readFileSync(control, "utf8").replace("@MAINTAINER@", maintainer()));
  const date = new Date(epoch() * 1000).toUTCString().replace("GMT", "+0000");
  writeFileSync(
    join(debian, "changelog"),
    `pfxbridge (${debianVersion}) unstable; urgency=medium\n\n  * Version ${version}; changelog.gz says what is new.\n\n -- ${maintainer()}  ${date}\n`,
  );
  writeFileSync(join(debian, "copyright"), `${copyright(ROOT)}\n`);
  mkdirSync(join(debian, "source"), { recursive: true });
  writeFileSync(join(debian, "source/format"), "3.0 (quilt)\n");
  chmodSync(join(debian, "rules"), 0o755);
}

/** As Debian's own tools find it. */
function maintainer(): string {
  const { DEBFULLNAME = "The pfxbridge authors", DEBEMAIL = "pfxbridge@packages.invalid" } = process.env;
  return `${DEBFULLNAME} <${DEBEMAIL}>`;
}

/** Of the last change where git knows it: the same commit makes the same package. */
function epoch(): number {
  if (process.env.SOURCE_DATE_EPOCH !== undefined) return Number(process.env.SOURCE_DATE_EPOCH);
  const { stdout, status } = spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? Number(stdout) : Math.floor(Date.now() / 1000);
}

function copy(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`${from} is not there: npm ci && npm run share`);
  mkdirSync(dirname(to), { recursive: true });
  if (statSync(from).isDirectory()) cpSync(from, to, { recursive: true });
  else copyFileSync(from, to);
}
