/** The places of a mapping at which somebody must choose: `pfxbridge import` marks them, and they are warned of until the mark is gone. */

export interface Choice {
  readonly line: number;
  readonly what: string;
}

export function choicesIn(text: string): readonly Choice[] {
  return text.split("\n").flatMap((line, index) => {
    const what = /^\s*# CHOOSE: (.*)$/.exec(line)?.[1];
    return what === undefined ? [] : [{ line: index + 1, what }];
  });
}
