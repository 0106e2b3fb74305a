/**
 * Weaves many mutants into one source (mutant schemata: Untch, Offutt, Harrold, 1993): each stands beside the original
 * behind a switch that is read while the test runs, so that a thousand mutants cost one compilation. The switch is the
 * block's coinbase, which no contract of ours reads; 0 is the original program.
 */
import type { Mutant } from './operators.ts'

/** A mutant with the number that switches it on, from 1. */
export type Numbered = Mutant & { id: number }

/** Coinbase that switches mutant `id` on: four bytes that stand nowhere else in the code. */
export const switchOf = (id: number): number => 0x5eed_0000 + id

const on = (id: number): string => `block.coinbase == address(uint160(${switchOf(id)}))`
const off = (id: number): string => `block.coinbase != address(uint160(${switchOf(id)}))`

/** `text` with `mutants` (all of its file) woven in; offsets are indexes of `text`, one character a byte. */
export function weave(text: string, mutants: readonly Numbered[]): string {
  const ranges = new Map<string, Numbered[]>()
  for (const mutant of mutants) {
    const key = `${mutant.start}:${mutant.end}:${mutant.kind}`
    ranges.set(key, [...(ranges.get(key) ?? []), mutant])
  }
  const edits = [...ranges.values()].map((group) => {
    const first = group[0] as Numbered
    return { start: first.start, end: first.end, kind: first.kind, group, depth: 0 }
  })
  // Outer before inner; of one range the statement is outside.
  edits.sort((a, b) => a.start - b.start || b.end - a.end || (a.kind === 'statement' ? -1 : 1))

  let next = 0
  const render = (start: number, end: number): string => {
    let out = ''
    let at = start
    while (next < edits.length) {
      const edit = edits[next]
      if (edit === undefined || edit.start >= end) break
      next++
      out += text.slice(at, edit.start)
      const inner = render(edit.start, edit.end)
      out += wrapped(edit.group, edit.kind, inner)
      at = edit.end
    }
    return out + text.slice(at, end)
  }
  return render(0, text.length)
}

/** The original, which itself may hold mutants further in, behind one switch a mutant. */
function wrapped(group: readonly Numbered[], kind: Mutant['kind'], original: string): string {
  if (kind === 'modifier')
    return group.reduce((text, { id }) => `${text.replace(/^\w+/, `$&_off${id}`)}`, original)
  let text = original
  for (const { id, mutated } of group) {
    if (kind === 'expression') text = `(${on(id)} ? ${mutated} : ${text})`
    else if (mutated === '') text = `if (${off(id)}) { ${text} }`
    else text = `if (${on(id)}) { ${mutated} } else { ${text} }`
  }
  // Braces, so that an else of the source stays with its own if.
  return kind === 'statement' ? `{ ${text} }` : text
}

/** Adds a copy of each modifier that a mutant leaves out: the same checks, unless switched off. */
export function switchedModifiers(text: string, mutants: readonly Numbered[]): string {
  return text.replace(
    /^ {4}modifier (\w+)(\([^)]*\))? \{\n([\s\S]*?)^ {4}\}\n/gm,
    (all, name: string, parameters = '', body: string) => {
      const copies = mutants
        .filter(({ kind, original }) => kind === 'modifier' && original.match(/^\w+/)?.[0] === name)
        .map(
          ({ id }) =>
            `    modifier ${name}_off${id}${parameters} {\n        if (${on(id)}) {\n            _;\n        } else {\n${body}        }\n    }\n`,
        )
      return [all, ...copies].join('\n')
    },
  )
}
