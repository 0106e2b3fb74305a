import type { Network } from '@assay/protocol'
import { readRequestReport } from '@assay/sdk'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Verification } from '../commands/verify.ts'

/** Checks the receipt that the gateway has for a request, and its batch, against the chain. */
export async function verifyRequestId(network: Network, requestId: Hex): Promise<Verification> {
  const report = await readRequestReport(network, requestId)
  if (report === undefined) {
    throw new CliError('Neither the chain nor the gateway knows this id.', {
      exitCode: EXIT.failed,
      code: 'not_found',
      facts: { id: requestId, gateway: network.gatewayUrl },
      next: 'Check the id; it is printed by assay chat and stands in x-assay-request-id.',
    })
  }
  return {
    subject: requestId,
    reports: [{ name: requestId, report }],
    isGivenUp: false,
    // Contents are kept where a proof is about them.
    note: report.steps.some(({ name }) => name === 'responseMatches')
      ? undefined
      : 'Contents are not kept by the network: only a saved bundle shows what was asked and answered.',
  }
}
