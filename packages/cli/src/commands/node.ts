import { type Evidence, gpuNonce } from '@assay/protocol'
import {
  describeEvidence,
  type GpuInspection,
  type Inspection,
  inspectEvidence,
  inspectGpus,
} from '@assay/verify'
import type { Command } from 'commander'
import { EXIT } from '../cliError.ts'
import { assayHome } from '../home.ts'
import { printable, table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { simulatedRootFolder } from '../up/servers.ts'
import { readUserFile } from '../userFile.ts'
import { registerNodeGiveKey } from './nodeGiveKey.ts'

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const

type Attested = {
  evidence: Pick<Evidence, 'kind' | 'document' | 'gpus'>
  inspection: Inspection | undefined
  gpuInspections: GpuInspection[]
  simulated: boolean
}

/** Evidence of the machine that this runs on, over random bytes, judged as validators would judge it now. */
async function attestHere(): Promise<Attested> {
  const { chooseAttester } = await import('@assay/node')
  const attester = await chooseAttester(process.env, simulatedRootFolder(assayHome()))
  const { kind, roots, simulated } = attester
  const userData = `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')}` as const
  const document = await attester.attest(userData)
  const gpus = await attester.gpus?.ask(gpuNonce(userData))
  const now = BigInt(Math.floor(Date.now() / 1000))
  return {
    evidence: { kind, document, gpus },
    inspection: inspectEvidence({ kind, document }, { roots, now, userData }),
    gpuInspections: inspectGpus({ gpus }, { roots: attester.gpus?.roots ?? [], now, userData }),
    simulated,
  }
}

export function registerNode(program: Command, context: CommandContext): void {
  const node = program.command('node').description('The enclave of a node.')
  node
    .command('attest')
    .description('Ask the enclave of this machine, which ASSAY_ENCLAVE names, for evidence, and check it.')
    .option('--print', 'print the decoded evidence and the checklist (the default)')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const { evidence, inspection, gpuInspections, simulated } = await attestHere()
      const facts = describeEvidence(evidence) ?? {}
      const verdicts = [inspection, ...gpuInspections].map((one) => one?.verdict)
      if (verdicts.some((verdict) => verdict !== 'accepted')) context.exit(EXIT.failed)
      if (options.json === true) {
        const { verdict = 'invalid', steps = [] } = inspection ?? {}
        const gpus = gpuInspections.map((gpu) => ({ verdict: gpu.verdict, steps: gpu.steps }))
        context.output.out(toJsonText({ kind: evidence.kind, simulated, verdict, facts, steps, gpus }))
        return
      }
      context.output.out(
        `${evidence.kind}${simulated ? ', SIMULATED: no hardware stands behind this' : ''}\n\n`,
      )
      context.output.out(printable(table(Object.entries(facts))))
      context.output.out(`\n${checks(inspection)}`)
      for (const [at, gpu] of gpuInspections.entries()) context.output.out(`\nGPU ${at}\n${checks(gpu)}`)
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
  registerNodeGiveKey(node, context)
}

/** What the tools print has a few kilobytes. */
const MAX_TOOL_BYTES = 1_048_576

async function measureImage(file: string): Promise<Record<string, string>> {
  const { expectedMeasurement } = await import('@assay/node')
  const text = new TextDecoder().decode(readUserFile(file, MAX_TOOL_BYTES, 'a JSON of measurements'))
  return expectedMeasurement(text)
}

/** Read from evidence whether or not it would be accepted: an image is measured before it is approved. */
async function measureHere(): Promise<Record<string, string>> {
  const { evidence, inspection } = await attestHere()
  const measurement = describeEvidence(evidence)?.measurement ?? 'unreadable'
  const rootHash = inspection?.attestation?.rootHash
  return { kind: evidence.kind, measurement, ...(rootHash === undefined ? {} : { rootHash }) }
}

function checks(inspection: Inspection | GpuInspection | undefined): string {
  if (inspection === undefined) return '  ✗ the document cannot be read\n'
  const width = Math.max(...inspection.steps.map(({ name }) => name.length))
  const lines = inspection.steps.map(
    ({ name, outcome, reason }) => `  ${MARKS[outcome]} ${name.padEnd(width)}  ${reason}\n`,
  )
  return printable(`${lines.join('')}\n  ${inspection.verdict.replaceAll('_', ' ')}\n`)
}
