/**
 * A policy decision point made after the fixture of "AuthZEN Authorization API 1.0 - Certification Scenario": the same
 * subjects, resources, actions and decisions, and as strict about questions. What it replies can be spoilt on the way.
 */
import type { Answer, Call } from "./service.ts";
import { AuthorizationService } from "./service.ts";

interface Entity {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly name?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}
type Question = Readonly<Partial<Record<"subject" | "action" | "resource" | "context", Entity>>>;
interface Batch extends Question {
  readonly evaluations?: readonly Question[];
  readonly options?: { readonly evaluations_semantic?: string };
}

/** What becomes of an honest reply, for a hostile one. */
export type Spoil = (honest: Answer, call: Call, question: Question) => Answer;

const ONE = "/access/v1/evaluation";

export function startPdp(spoil: Spoil = (honest) => honest): Promise<AuthorizationService> {
  return AuthorizationService.start((call) => {
    const { url, headers, json } = call;
    const question: Batch = json ?? {};
    const id = headers["x-request-id"];
    const echoed = typeof id === "string" ? { "x-request-id": id } : {};
    if (url !== ONE && url !== `${ONE}s`) return { status: 404 };
    if (headers["content-type"]?.startsWith("application/json") !== true || json === null)
      return { status: 400 };
    const honest = url === ONE ? alone(question) : batch(question);
    return spoil({ ...honest, headers: echoed }, call, question);
  });
}

function alone(question: Question): Answer {
  return isWhole(question)
    ? { body: { decision: decide(question) } }
    : { status: 400, body: "a part is missing" };
}

function batch({ evaluations, options, ...defaults }: Batch): Answer {
  if (evaluations === undefined || evaluations.length === 0) return alone(defaults);
  if ((options?.evaluations_semantic ?? "execute_all") !== "execute_all") return { status: 400 };
  const answers = evaluations.map((own) => {
    const question = { ...defaults, ...own };
    const error = { status: 400, message: "a part is missing" };
    return isWhole(question) ? { decision: decide(question) } : { decision: false, context: { error } };
  });
  return { body: { evaluations: answers } };
}

function isWhole({ subject, action, resource }: Question): boolean {
  const texts = [subject?.type, subject?.id, action?.name, resource?.type, resource?.id];
  return texts.every((text) => typeof text === "string" && text !== "");
}

/** "Required Policy Behaviour", rules 1 to 8; whatever they do not name is denied. */
function decide({ subject, action, resource }: Question): boolean {
  if (subject?.type !== "user" || resource?.type !== "record") return false;
  const archived = resource.properties?.status === "archived";
  if (archived) return action?.name === "write" && subject.properties?.role === "admin";
  if (resource.id !== "record-1") return false;
  switch (action?.name) {
    case "read":
      return subject.id === "alice" || subject.id === "bob";
    case "write":
      return subject.id === "alice";
    default:
      return action?.name === "delete" && subject.id === "alice" && action.properties?.soft === true;
  }
}
