import type { LlamaModel, Token } from 'node-llama-cpp'

/** What a text of no whole character reads as. */
const REPLACEMENT = '\ufffd'

/**
 * Finds the bytes of a token, given its text. One may hold a part of a character, whose text says nothing of it; put
 * together, the bytes of such tokens spell it (OpenAI's reference, `logprobs.content[].bytes`).
 */
export function createTokenBytes(model: LlamaModel): (token: Token, text: string) => number[] {
  const { tokens: pieces, model: kind } = model.fileInfo.metadata.tokenizer.ggml
  const byteOf = kind === 'gpt2' ? byteAlphabet() : undefined
  return (token, text) => {
    const plain = [...new TextEncoder().encode(text)]
    if (!text.includes(REPLACEMENT)) return plain
    const piece = pieces[token] ?? ''
    // Vocabularies of SentencePiece have a token for each byte that is in no other.
    const single = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1]
    if (single !== undefined) return [Number.parseInt(single, 16)]
    const bytes = [...piece].map((character) => byteOf?.get(character))
    return bytes.every((byte) => byte !== undefined) && bytes.length > 0 ? bytes : plain
  }
}

/** How GPT-2 and its kin write bytes in their vocabularies: those that print as themselves, the others from U+0100 on. */
function byteAlphabet(): ReadonlyMap<string, number> {
  const alphabet = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 0x100; byte++) {
    const prints = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    alphabet.set(String.fromCodePoint(prints ? byte : next++), byte)
  }
  return alphabet
}
