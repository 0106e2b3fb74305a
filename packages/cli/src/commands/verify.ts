import { existsSync } from 'node:fs'
import { publicClientOf, readChainView } from '@assay/chain'
import {
  AssayError,
  type Bundle,
  deploymentOf,
  MAX_BUNDLE_BYTES,
  type Network,
  parseBundle,
} from '@assay/protocol'
import type { ReceiptState } from '@assay/sdk'
import type { Report } from '@assay/verify'
import { verifyBundle } from '@assay/verify'
import type { Command } from 'commander'
import { type Hex, isHash } from 'viem'
import { checklist } from '../checklist.ts'
import { CliError, EXIT } from '../cliError.ts'
import { networkFor } from '../home.ts'
import { toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'
import { readUserFile } from '../userFile.ts'
import { verifyCommit } from '../verify/verifyCommit.ts'
import { verifyRequestId } from '../verify/verifyRequestId.ts'

type VerifyOptions = { network?: string; json?: true }

/** What was looked at, its checklists, and one sentence on what they do not cover. */
export type Verification = {
  subject: string
  /** Of a request, in the words of the gateway. */
  state?: ReceiptState
  reports: { name: string; report: Report }[]
  /** Whether what holds the receipts was given up, so that sound ones settle nothing there. */
  isGivenUp: boolean
  note: string | undefined
}

export function registerVerify(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .description('Check a saved proof bundle, a request id or a commit transaction against the chain.')
    .argument('<what>', 'bundle.json, request id or transaction hash')
    .option('--network <file>', 'network.json; default the one of the local network')
    .option('--json', 'print the reports as JSON')
    .action(async (what: string, options: VerifyOptions) => {
      const verification = await verifyAny(what, options)
      const { isGivenUp, ...told } = verification
      const ok = !isGivenUp && told.reports.length > 0 && told.reports.every(({ report }) => report.ok)
      if (options.json === true) context.output.out(toJsonText({ ok, ...told }))
      else context.output.out(describe(verification, ok))
      context.exit(ok ? EXIT.ok : EXIT.failed)
    })
}

async function verifyAny(what: string, options: VerifyOptions): Promise<Verification> {
  const isFile = existsSync(what)
  const id = what.toLowerCase()
  if (!isFile && !isHash(id)) {
    throw new CliError('This is neither a file nor a request id nor a transaction hash.', {
      exitCode: EXIT.usage,
      code: 'not_verifiable',
      facts: { given: what.slice(0, 100) },
      next: 'assay verify bundle.json   or   assay verify 0x<64 hex digits>',
    })
  }
  const network = networkFor(options.network)
  if (isFile)
    return {
      subject: what,
      reports: [{ name: what, report: await bundleReport(what, network) }],
      isGivenUp: false,
      note: undefined,
    }
  const client = publicClientOf(network)
  const mined = await client.getTransactionReceipt({ hash: id as Hex }).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'TransactionReceiptNotFoundError') return undefined
    throw error
  })
  return mined === undefined ? verifyRequestId(network, id as Hex) : verifyCommit(network, mined)
}

/** A saved bundle needs nothing but the RPC. */
async function bundleReport(file: string, network: Network): Promise<Report> {
  const bundle = readBundle(file)
  const { receipt, signature, grant, inclusion, evidence } = bundle
  const view = await readChainView(
    publicClientOf(network),
    network,
    { receipt, signature, grant },
    { inclusion, evidence },
  )
  // A file that someone calls proof must prove the end state: in a batch that can no longer change.
  return verifyBundle(bundle, view, {
    required: ['includedInBatch', 'batchIsFinal', 'proofHolds'],
    deployment: deploymentOf(network),
  })
}

function readBundle(file: string): Bundle {
  const bytes = readUserFile(file, MAX_BUNDLE_BYTES, 'a proof bundle')
  try {
    return parseBundle(bytes)
  } catch (cause) {
    if (!(cause instanceof AssayError)) throw cause
    throw new CliError(`This file is no proof bundle. ${cause.shortMessage}`, {
      exitCode: EXIT.failed,
      code: cause.code,
      facts: { file, ...cause.facts },
      next: 'assay chat "…" --save bundle.json   writes one; even one changed space makes it another file.',
      cause,
    })
  }
}

function describe({ subject, reports, note }: Verification, ok: boolean): string {
  const parts = reports.map(
    ({ name, report }) => `${name === subject ? '' : `${name}\n`}${checklist(report)}`,
  )
  const verdict = ok ? 'verified ✓' : 'NOT verified ✗'
  return `${parts.join('\n')}${note === undefined ? '' : `\n${note}\n`}\n${verdict}  ${subject}\n`
}
