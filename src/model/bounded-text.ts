/**
 * All that a stream holds, as text; null where it is more than `most` bytes: the rest is not read.
 *
 * @throws as the stream does
 */
export async function boundedText(stream: AsyncIterable<Buffer>, most: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > most) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length).toString("utf8");
}
