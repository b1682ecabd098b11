/** A document's security schemes as lines of a service's configuration. */
import { oneLine } from "../../text/one-line.ts";
import { type DocumentNode, fieldsOf, items, member, textAt } from "./tree.ts";

/** The lines for the first way that the operation names; those that only a comment can say begin with `#`. */
export function authLines(root: DocumentNode, operation: DocumentNode, swagger: boolean): readonly string[] {
  const ways = items(member(operation, "security") ?? member(root, "security"));
  const schemes = swagger
    ? member(root, "securityDefinitions")
    : member(root, "components", "securitySchemes");
  const [first] = ways;
  if (first === undefined || schemes === undefined) return [];
  const names = Object.keys(fieldsOf(first.value) ?? {});
  const lines = names.flatMap((name) => {
    const scheme = member(schemes, name);
    return scheme === undefined ? [] : [schemeLine(name, scheme)];
  });
  return ways.length > 1 ? [...lines, "# The description names other ways, too."] : lines;
}

function schemeLine(name: string, scheme: DocumentNode): string {
  const type = textAt(scheme, "type") ?? "";
  const kind = (textAt(scheme, "scheme") ?? "").toLowerCase();
  const what = `# security scheme ${oneLine(name, 60)}`;
  if (type === "basic" || (type === "http" && kind === "basic")) {
    return `auth: { basic: { username: NAME, password: { file: PATH } } }    ${what}`;
  }
  if (type === "http" && kind === "bearer") return `auth: { bearer: { file: PATH } }    ${what}`;
  if (type === "apiKey" && textAt(scheme, "in") === "header") {
    return `auth: { api_key: { header: ${nameOf(scheme)}, key: { file: PATH } } }    ${what}`;
  }
  if (type === "apiKey" && textAt(scheme, "in") === "query") {
    return `auth: { api_key: { query: ${nameOf(scheme)}, key: { file: PATH } } }    ${what}`;
  }
  if (type === "apiKey") {
    const place = textAt(scheme, "in") ?? "";
    return `secrets: { api_key: { file: PATH } }    ${what}: in the ${oneLine(place, 20)}, ${oneLine(textAt(scheme, "name") ?? "", 60)}: \${secret.api_key} in the mapping`;
  }
  if (type === "mutualTLS") return `tls: { cert: PATH, key: PATH }    ${what}`;
  if (type === "openIdConnect") {
    const issuer = (textAt(scheme, "openIdConnectUrl") ?? "").replace(/\/\.well-known\/.*$/, "");
    return oauth2Line("issuer", issuer, what);
  }
  const credentials = member(scheme, "flows", "clientCredentials");
  const isApplication = type === "oauth2" && textAt(scheme, "flow") === "application";
  if (credentials !== undefined || isApplication) {
    return oauth2Line("token_url", textAt(credentials ?? scheme, "tokenUrl") ?? "", what);
  }
  const flow = member(scheme, "flows", "clientCredentials") ?? scheme;
  const where = textAt(flow, "tokenUrl") ?? textAt(scheme, "openIdConnectUrl") ?? "";
  return `# auth: as the description says, ${oneLine(type, 30)}${where === "" ? "" : ` with ${oneLine(where, 200)}`}`;
}

function nameOf(scheme: DocumentNode): string {
  return JSON.stringify(oneLine(textAt(scheme, "name") ?? "", 60));
}

function oauth2Line(where: string, url: string, what: string): string {
  const address = url === "" ? "URL" : JSON.stringify(oneLine(url, 200));
  return `auth: { oauth2: { ${where}: ${address}, client_id: NAME, client_secret: { file: PATH } } }    ${what}`;
}
