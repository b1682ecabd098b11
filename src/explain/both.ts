/** Two who are told of the steps of one decision, where there are two. */
import type { Trace } from "../decision/decide.ts";

export function bothOf(one: Trace | undefined, other: Trace | undefined): Trace | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    alone: one.alone || other.alone,
    onRoute: (...step) => told(one.onRoute(...step), other.onRoute(...step)),
    onRendered: (...step) => told(one.onRendered(...step), other.onRendered(...step)),
    onRemembered: (...step) => told(one.onRemembered(...step), other.onRemembered(...step)),
    onCredentials: (...step) => told(one.onCredentials?.(...step), other.onCredentials?.(...step)),
    onDiscovered: (...step) => told(one.onDiscovered?.(...step), other.onDiscovered?.(...step)),
    onShared: (...step) => told(one.onShared(...step), other.onShared(...step)),
    onAttempt: (...step) => told(one.onAttempt(...step), other.onAttempt(...step)),
    onReply: (...step) => told(one.onReply(...step), other.onReply(...step)),
    onFailure: (...step) => told(one.onFailure(...step), other.onFailure(...step)),
  };
}

function told(..._both: readonly unknown[]): void {}
