/**
 * A bridge whose service everybody shares, with on_failure: fail-open, and a sender who means harm to it: what is sent as
 * `choke@…` the service answers with a 500, `much@…` with a 429, `slow@…` late. All others it denies.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { Program, Site } from "../commands/program.ts";
import { ANY_PORT, GATE, service } from "../commands/services.ts";
import { formatRequest, type PolicyClient } from "../support/policy-client.ts";
import type { Answering, AuthorizationService } from "../support/service.ts";

const CONNECTIONS = 90;
const OTHERS = 10;
export const ATTACKER = "203.0.113.66";
export const DENIED = "REJECT 5.7.1 no";
/** Late, but before the service's timeout. */
const LATE = 1500;

const denying: Answering = async ({ json }) => {
  const kind = String(json?.sender).split("@")[0];
  if (kind === "choke") return { status: 500 };
  if (kind === "much") return { status: 429 };
  if (kind === "slow") await sleep(LATE);
  return { body: { allowed: false } };
};

export class SharedService {
  readonly service: AuthorizationService;
  readonly bridge: Program;

  private constructor(shared: AuthorizationService, bridge: Program) {
    this.service = shared;
    this.bridge = bridge;
  }

  /** @param more keys of the service in the configuration */
  static async start(more: object = {}): Promise<SharedService> {
    const shared = await service(denying);
    const corp = {
      url: shared.url,
      mapping: "./gate.yaml",
      on_failure: "fail-open",
      timeout: "2s",
      deadline: "4s",
      ...more,
    };
    const site = await Site.create({ "gate.yaml": GATE });
    await site.write("pfxbridge.yaml", { listen: ANY_PORT, services: { corp } });
    return new SharedService(shared, await Program.serve(site));
  }

  /** Asks without a pause on many connections, from one address, until the test is over or it is stopped. */
  async attack(sender: string, more: Attributes = {}): Promise<{ stop(): void }> {
    let stopped = false;
    const asking = async () => {
      const client = await this.bridge.connect();
      while (!stopped) {
        const asked = client.actions.length;
        client.write(request({ sender: `${sender}@example.net`, client_address: ATTACKER, ...more }));
        await client.answers(asked + 1, 20_000).catch(() => {
          stopped = true;
        });
        client.received = "";
      }
    };
    const all = Array.from({ length: CONNECTIONS }, asking);
    const stop = () => {
      stopped = true;
    };
    onTestFinished(stop);
    void Promise.allSettled(all);
    // The first answers, and what they bring about.
    await sleep(1000);
    return { stop };
  }

  /** Others ask, each from an address of its own or as `who` says: the part that is denied as ever. */
  async denied({ times = 20, who = ofItsOwn } = {}): Promise<number> {
    const answers = await Promise.all(
      Array.from({ length: OTHERS }, async (_, n) => {
        const client = await this.bridge.connect();
        const actions: string[] = [];
        for (let time = 0; time < times; time++) {
          actions.push(await this.ask({ sender: `other${time}@example.net`, ...who(n) }, client));
          await sleep(50);
        }
        return actions;
      }),
    );
    const all = answers.flat();
    return all.filter((action) => action === DENIED).length / all.length;
  }

  async ask(attributes: Attributes, over?: PolicyClient): Promise<string> {
    const client = over ?? (await this.bridge.connect());
    const asked = client.actions.length;
    client.write(request({ sender: "other@example.net", ...attributes }));
    return (await client.answers(asked + 1, 20_000))[asked]!;
  }
}

type Attributes = Readonly<Record<string, string>>;

function ofItsOwn(n: number): Attributes {
  return { client_address: `198.51.100.${n}` };
}

function request(attributes: Attributes): string {
  return formatRequest({
    request: "smtpd_access_policy",
    protocol_state: "RCPT",
    recipient: "b@example.org",
    ...attributes,
  });
}
