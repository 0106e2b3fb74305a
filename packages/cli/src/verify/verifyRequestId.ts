import { publicClientOf } from '@assay/chain'
import { formatOpg, inferenceEscrowAbi, type Network } from '@assay/protocol'
import { type ReceiptState, readRequestReport } from '@assay/sdk'
import { PAYMENT_STATE } from '@assay/verify'
import type { Hex } from 'viem'
import { CliError, EXIT } from '../cliError.ts'
import type { Verification } from '../commands/verify.ts'

/** Checks the receipt that the gateway has for a request, and its batch, against the chain. */
export async function verifyRequestId(network: Network, requestId: Hex): Promise<Verification> {
  const known = await readRequestReport(network, requestId)
  if (known?.report === undefined) throw await nothingToCheck(network, requestId, known?.state)
  const { state, report } = known
  const notes = [
    // What is final says so in its checklist.
    state === 'final'
      ? ''
      : `The gateway says of it: ${state}. What becomes of its payment: assay wallet payment ${requestId}`,
    // Contents are kept where a proof is about them.
    report.steps.some(({ name }) => name === 'responseMatches')
      ? ''
      : 'Contents are not kept by the network: only a saved bundle shows what was asked and answered.',
  ].filter((note) => note !== '')
  return {
    subject: requestId,
    state,
    reports: [{ name: requestId, report }],
    isGivenUp: false,
    note: notes.length === 0 ? undefined : notes.join('\n'),
  }
}

/**
 * A request without a receipt. Errors behind a payment send people here, so it is said whether the request may be made
 * again: by the gateway's word on the request, and the chain's on the money.
 * @param state undefined where the gateway does not know the request
 */
async function nothingToCheck(
  network: Network,
  requestId: Hex,
  state: ReceiptState | undefined,
): Promise<CliError> {
  const [, , amount, , , payment] = await publicClientOf(network).readContract({
    address: network.contracts.InferenceEscrow,
    abi: inferenceEscrowAbi,
    functionName: 'payment',
    args: [requestId],
  })
  const isTaken = payment !== PAYMENT_STATE.none
  const refuse = (code: string, message: string, next: string) =>
    new CliError(message, {
      exitCode: EXIT.failed,
      code,
      facts: {
        requestId,
        state: state ?? 'unknown',
        taken: isTaken ? formatOpg(amount) : 'nothing',
        gateway: network.gatewayUrl,
      },
      next,
    })
  if (isTaken) {
    return refuse(
      'receipt_missing',
      'The chain has a payment for this request, of which the gateway shows no receipt.',
      `See whether it can be taken back: assay wallet refund ${requestId}`,
    )
  }
  switch (state) {
    case undefined:
      return refuse(
        'not_found',
        'Neither the chain nor the gateway knows this id.',
        'Check the id; it is printed by assay chat and stands in x-assay-request-id. If it is right, the request never ' +
          'got to this gateway, and may be made again.',
      )
    case 'failed':
      return refuse(
        'request_failed',
        'The gateway knows this request: it failed, no answer came of it, and nothing was taken.',
        'Ask again; it is not paid for twice.',
      )
    case 'pending':
      return refuse(
        'pending',
        'The gateway knows this request, and has no receipt for it yet: it is being answered, or its receipt is looked for.',
        `Do not ask again before that is decided; look again in a minute: assay verify ${requestId}`,
      )
    default:
      return refuse(
        'receipt_missing',
        'The gateway says that there is an answer to this request, but shows no receipt of it.',
        'Do not rely on what this gateway says. Ask another one, or check a saved bundle.',
      )
  }
}
