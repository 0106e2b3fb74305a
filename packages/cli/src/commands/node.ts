import { readFile } from 'node:fs/promises'
import type { Evidence } from '@assay/protocol'
import { describeEvidence, type Inspection, inspectEvidence } from '@assay/verify'
import type { Command } from 'commander'
import { EXIT } from '../cliError.ts'
import { assayHome } from '../home.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { simulatedRootFolder } from '../up/servers.ts'

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const

type Attested = {
  evidence: Pick<Evidence, 'kind' | 'document'>
  inspection: Inspection | undefined
  simulated: boolean
}

/** Evidence of the machine that this runs on, over random bytes, judged as validators would judge it now. */
async function attestHere(): Promise<Attested> {
  const { chooseAttester } = await import('@assay/node')
  const attester = await chooseAttester(process.env, simulatedRootFolder(assayHome()))
  const { kind, roots, simulated } = attester
  const userData = `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')}` as const
  const evidence = { kind, document: await attester.attest(userData) }
  const now = BigInt(Math.floor(Date.now() / 1000))
  return { evidence, inspection: inspectEvidence(evidence, { roots, now, userData }), simulated }
}

export function registerNode(program: Command, context: CommandContext): void {
  const node = program.command('node').description('The enclave of a node on this machine.')
  node
    .command('attest')
    .description('Ask the enclave that ASSAY_ENCLAVE names for evidence, and check it.')
    .option('--print', 'print the decoded evidence and the checklist (the default)')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const { evidence, inspection, simulated } = await attestHere()
      const facts = describeEvidence(evidence) ?? {}
      if (inspection?.verdict !== 'accepted') context.exit(EXIT.failed)
      if (options.json === true) {
        const { verdict = 'invalid', steps = [] } = inspection ?? {}
        context.output.out(toJsonText({ kind: evidence.kind, simulated, verdict, facts, steps }))
        return
      }
      context.output.out(
        `${evidence.kind}${simulated ? ', SIMULATED: no hardware stands behind this' : ''}\n\n`,
      )
      context.output.out(printable(table(Object.entries(facts))))
      context.output.out(`\n${checks(inspection)}`)
    })
  node
    .command('measure')
    .description('Print the measurement that governance approves: of an image, or of this machine.')
    .option('--from <file>', 'JSON of nitro-cli, sev-snp-measure or dstack-mr')
    .option('--json', 'print JSON')
    .action(async (options: { from?: string; json?: true }) => {
      const found = options.from === undefined ? await measureHere() : await measureImage(options.from)
      context.output.out(options.json === true ? toJsonText(found) : table(Object.entries(found)))
    })
}

async function measureImage(file: string): Promise<Record<string, string>> {
  const { expectedMeasurement } = await import('@assay/node')
  return expectedMeasurement(await readFile(file, 'utf8'))
}

/** Read from evidence whether or not it would be accepted: an image is measured before it is approved. */
async function measureHere(): Promise<Record<string, string>> {
  const { evidence, inspection } = await attestHere()
  const measurement = describeEvidence(evidence)?.measurement ?? 'unreadable'
  const rootHash = inspection?.attestation?.rootHash
  return { kind: evidence.kind, measurement, ...(rootHash === undefined ? {} : { rootHash }) }
}

function checks(inspection: Inspection | undefined): string {
  if (inspection === undefined) return '  ✗ the document cannot be read\n'
  const width = Math.max(...inspection.steps.map(({ name }) => name.length))
  const lines = inspection.steps.map(
    ({ name, outcome, reason }) => `  ${MARKS[outcome]} ${name.padEnd(width)}  ${reason}\n`,
  )
  return printable(`${lines.join('')}\n  ${inspection.verdict.replaceAll('_', ' ')}\n`)
}
