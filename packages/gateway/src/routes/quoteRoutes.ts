import { formatOpg, INFERENCE_PATHS, TEMPLATE_UNITS } from '@assay/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { credentialOf } from '../grants/credential.ts'
import { RefusedError } from '../http/dialectError.ts'
import { termsOf } from '../payment/admit.ts'
import { paymentRequirements } from '../payment/offer.ts'
import { bodyOf, quote } from '../relay/quote.ts'
import { readAsked } from '../routing/asked.ts'
import { route } from '../routing/route.ts'

/** What a call would cost at most and who would answer it: the body and headers of the call, sent here instead; free. */
export function quoteRoutes(server: FastifyInstance, context: Context): void {
  server.post('/v1/quotes', async (request: FastifyRequest<{ Querystring: { path?: unknown } }>) => {
    const path = String(request.query.path ?? '/v1/chat/completions')
    const dialect = Object.hasOwn(INFERENCE_PATHS, path) ? INFERENCE_PATHS[path] : undefined
    if (dialect === undefined) {
      const message = `\`path\` must be one of: ${Object.keys(INFERENCE_PATHS).join(', ')}.`
      throw new RefusedError({ status: 400, type: 'invalid_request_error', code: 'invalid_path', message })
    }
    const body = bodyOf(request)
    const credential = await credentialOf(context, request.headers)
    const { model, price, maxOutput, maximum } = await quote(context, dialect, body)
    const among = credential?.grant.nodes ?? []
    const asked = readAsked(request.headers, { model, path, maximum, among })
    const { mode, why, exposure, candidates } = route(context, asked)
    return {
      object: 'quote',
      path,
      model: model.name,
      modelId: model.modelId,
      // OPG base units; the receipt asks for what was used, never for more than `maximum`.
      maximum: maximum.toString(),
      display: formatOpg(maximum),
      price: {
        perCall: price.perCall.toString(),
        input: price.inputPrice.toString(),
        output: price.outputPrice.toString(),
      },
      maxInputUnits: body.length + TEMPLATE_UNITS,
      maxOutputUnits: maxOutput,
      route: { mode, why, atRisk: exposure.toString(), candidates: candidates.length },
      accepts: paymentRequirements(termsOf(context), maximum),
    }
  })
}
