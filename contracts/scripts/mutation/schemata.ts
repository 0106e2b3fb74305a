/** Builds the one program that holds every mutant: operators, weaving, and what does not compile taken out again. */
import { compileSources, readSources, type SolcError, type SolcOutput, type Sources } from '../solc.ts'
import { type AstNode, type Mutant, mutantsOf } from './operators.ts'
import { type Numbered, switchedModifiers, switchOf, weave } from './weave.ts'

export interface TestArtifact {
  source: string
  name: string
  abi: string
  /** Hexadecimal, no 0x. The deployed code tells the fuzzer which contract stands at an address. */
  bytecode: string
  deployedBytecode: string
  /** Whether it holds tests; a helper that the fuzzer calls does not. */
  suite: boolean
}

export interface Schemata {
  mutants: Numbered[]
  /** Mutants that no compiler accepts. */
  stillborn: Numbered[]
  artifacts: TestArtifact[]
}

interface Compiled {
  abi: { type: string; name?: string }[]
  evm?: { bytecode: { object: string }; deployedBytecode: { object: string } }
}

// Bytes as characters, both ways: solc counts bytes.
const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')

/**
 * A test that fails is run again with a trace, which nobody reads here and which takes gigabytes of a long one; but not
 * where it has asked for the time of day, which would be another.
 */
const untraced = (text: string): string =>
  text.replace(
    'abstract contract TestBase {',
    '$& constructor() { address(vm).staticcall(abi.encodeWithSignature("unixTime()")); }',
  )

/** The switch is no pure expression; that a function is pure changes no behaviour. */
const impure = (text: string): string => text.replace(/\bpure\b/g, 'view')

// Without the optimizer: it costs most of the time of a compilation, and finds nothing that a test could see.
const settings = {
  optimizer: { enabled: false },
  viaIR: false,
  evmVersion: 'osaka',
  metadata: { appendCBOR: false },
}

/** Every mutant of contracts/src, in the order of files and positions. Modifiers of dependencies are left alone. */
export function allMutants(): Mutant[] {
  const sources = readSources('src')
  const output = compileSources(sources, ['ast'], settings)
  const modifiers: (string | undefined)[] = Object.values(sources).flatMap(({ content }) =>
    [...content.matchAll(/^ {4}modifier (\w+)/gm)].map((match) => match[1]),
  )
  return Object.entries(sources).flatMap(([file, { content }]) => {
    const ast = output.sources?.[file]?.ast as AstNode
    return mutantsOf(file, ast, toBytes(content))
      .filter(
        (mutant) => mutant.kind !== 'modifier' || modifiers.includes(mutant.original.match(/^\w+/)?.[0]),
      )
      .map((mutant) => ({ ...mutant, original: toText(mutant.original), mutated: toText(mutant.mutated) }))
  })
}

function woven(sources: Sources, mutants: readonly Numbered[]): Sources {
  return Object.fromEntries(
    Object.entries(sources).map(([file, { content }]) => {
      const own = mutants.filter((mutant) => mutant.file === file)
      const raw = own.map((mutant) => ({
        ...mutant,
        original: toBytes(mutant.original),
        mutated: toBytes(mutant.mutated),
      }))
      const bytes = weave(toBytes(content), raw)
      return [file, { content: untraced(impure(switchedModifiers(toText(bytes), mutants))) }]
    }),
  )
}

/** The mutant that an error of the compiler stands in: the first switch inside its range, else the last before it. */
function culprit({ sourceLocation }: SolcError, sources: Sources): number | undefined {
  if (sourceLocation === undefined) return
  const text = toBytes(sources[sourceLocation.file]?.content ?? '')
  const ids = [...text.matchAll(/uint160\((\d+)\)/g)]
  const { start, end } = sourceLocation
  const inside = ids.find(({ index }) => index >= start && index < end)
  const before = ids.findLast(({ index }) => index < start && index > start - 300)
  return inside || before ? Number((inside ?? before)?.[1]) - switchOf(0) : undefined
}

/** Mutant → names of the suites whose bytecode holds its switch: no other can notice it. */
export function suitesThatHold({ artifacts }: Schemata): Map<number, Set<string>> {
  const pushed = new RegExp(`63(${switchOf(0).toString(16).slice(0, 4)}[0-9a-f]{4})`, 'g')
  const holding = new Map<number, Set<string>>()
  for (const { name, bytecode, suite } of artifacts) {
    if (!suite) continue
    for (const match of bytecode.matchAll(pushed)) {
      const id = Number.parseInt(match[1] ?? '', 16) - switchOf(0)
      holding.set(id, (holding.get(id) ?? new Set()).add(name))
    }
  }
  return holding
}

export function buildSchemata(wanted: readonly Mutant[], log: (line: string) => void): Schemata {
  const original = { ...readSources('src'), ...readSources('test') }
  let mutants: Numbered[] = wanted.map((mutant, at) => ({ ...mutant, id: at + 1 }))
  const stillborn: Numbered[] = []
  const outputs = ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object']
  const ending = (output: SolcOutput<Compiled>) =>
    (output.errors ?? []).filter(({ severity }) => severity === 'error')
  // Hardly ever is one stillborn: the whole compilation first, the checks alone while something is wrong.
  let output = compileSources<Compiled>(woven(original, mutants), outputs, settings)
  while (ending(output).length > 0) {
    const sources = woven(original, mutants)
    const fatal = ending(compileSources(sources, ['abi'], settings))
    if (fatal.length === 0) {
      output = compileSources<Compiled>(sources, outputs, settings)
      if (ending(output).length === 0) break
      throw new Error(
        ending(output)
          .map((error) => error.formattedMessage)
          .join('\n'),
      )
    }
    const dead = new Set(fatal.map((error) => culprit(error, sources)))
    log(`${fatal.length} errors of the compiler, ${dead.size} stillborn`)
    const remaining = mutants.filter(({ id }) => !dead.has(id))
    if (remaining.length === mutants.length)
      throw new Error(fatal.map((error) => error.formattedMessage).join('\n'))
    stillborn.push(...mutants.filter(({ id }) => dead.has(id)))
    mutants = remaining
  }
  const artifacts = Object.entries(output.contracts ?? {})
    .filter(([source]) => source.startsWith('test/'))
    .flatMap(([source, contracts]) =>
      Object.entries(contracts).map(([name, { abi, evm }]) => ({
        source,
        name,
        abi: JSON.stringify(abi),
        bytecode: evm?.bytecode.object ?? '',
        deployedBytecode: evm?.deployedBytecode.object ?? '',
        suite: source.endsWith('.t.sol') && abi.some((entry) => /^(test|invariant)/.test(entry.name ?? '')),
      })),
    )
    .filter(({ bytecode }) => bytecode !== '')
  return { mutants, stillborn, artifacts }
}
