import {
  type InferenceRoute,
  type NetworkModel,
  type PriceRow,
  quoteMaximum,
  readIntent,
} from '@assay/protocol'
import type { FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'

/** What a body asks for, and at most how much that costs. */
export type Quote = {
  model: NetworkModel
  price: PriceRow
  /** Most tokens of the answer. */
  maxOutput: number
  /** OPG base units. */
  maximum: bigint
}

/** @throws RefusedError 400 or 404 for what cannot be priced */
export async function quote(context: Context, dialect: InferenceRoute, body: Uint8Array): Promise<Quote> {
  const read = readIntent(dialect, body, (name) => context.models.get(name)?.contextLength)
  if ('problem' in read) {
    const { problem } = read
    context.metrics.count('refused_total', problem.code)
    const status = problem.code === 'model_not_found' ? 404 : 400
    throw new RefusedError({ ...problem, status, type: 'invalid_request_error' })
  }
  const model = context.models.get(read.intent.model)
  if (model === undefined) throw new Error('unreachable: readIntent knows only listed models')
  const price = await context.priceOf(model.modelId)
  const { maxOutput } = read.intent
  return { model, price, maxOutput, maximum: quoteMaximum(price, body.length, maxOutput) }
}

/** The body as it arrived. */
export function bodyOf(request: FastifyRequest): Uint8Array {
  return request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
}
