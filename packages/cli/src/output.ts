/** Where commands write: answers to `out`, progress and errors to `err`. */
export type Output = {
  out(text: string): void
  err(text: string): void
  /** Whether `err` is a terminal that can redraw a line. */
  isTerminal: boolean
}

export const standardOutput: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
}

/** JSON for scripts: bigints as decimal strings, as everywhere in the protocol. */
export function toJsonText(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_name, member: unknown) => {
      if (typeof member === 'bigint') return member.toString()
      if (member instanceof Uint8Array) return Buffer.from(member).toString('base64')
      return member
    },
    2,
  )
  return `${text}\n`
}

/** Two columns, the first as wide as its widest label. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`).join('')
}

/** Text from a server, safe for a terminal: no control characters but line feeds and tabs. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose; a model's answer could move the cursor and repaint the verdict.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}
