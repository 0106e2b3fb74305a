import { INFERENCE_PATHS, type Network, quoteMaximum, readIntent } from '@assay/protocol'
import type { Asked } from './asked.ts'
import type { ChainReader } from './chainReader.ts'
import { SdkError } from './errors.ts'
import { readingChain } from './readingChain.ts'

/**
 * The most that a request may cost by the price its publisher put on the chain, OPG base units: what a gateway may ask
 * for and no more. Where that cannot be worked out nothing can be paid: a gateway refuses such a request before it asks.
 * @throws SdkError `unreachable` | `offer_rejected`
 */
export async function quotedByRegistry(
  network: Network,
  chain: ChainReader,
  { pathname, body, modelId }: Pick<Asked, 'pathname' | 'body' | 'modelId'>,
): Promise<bigint> {
  const route = Object.hasOwn(INFERENCE_PATHS, pathname) ? INFERENCE_PATHS[pathname] : undefined
  const lengthOf = (name: string) =>
    network.models.find((entry) => entry.name === name || entry.modelId === name)?.contextLength
  const read = route === undefined ? undefined : readIntent(route, body, lengthOf)
  if (read === undefined || 'problem' in read)
    throw priceless(read?.problem.message ?? `${pathname} has none.`)
  const row = await readingChain(chain.priceOf(modelId))
  if (row === undefined) throw priceless('The model has no price on the chain.')
  return quoteMaximum(row, body.length, read.intent.maxOutput)
}

function priceless(why: string): SdkError {
  return new SdkError('A payment is asked for what has no price by the registry; nothing is paid.', {
    code: 'offer_rejected',
    facts: { why },
    next: 'Correct the request. If it is as it should be, do not pay this gateway.',
  })
}
