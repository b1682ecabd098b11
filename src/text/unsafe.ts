/**
 * The one class of characters that no line of text holds raw, wherever it is shown: what moves a cursor or changes colours
 * (controls), ends a line, turns the reading order, or is not seen at all (formats such as U+200B, U+00AD, U+FEFF, tags, fillers),
 * so that two texts look the same and are not; and halves of surrogate pairs.
 */

/** One of them. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

export const EACH_UNSAFE = new RegExp(UNSAFE, "gu");
export const UNSAFE_RUNS = new RegExp(`${UNSAFE.source}+`, "gu");
