import { INFERENCE_PATHS, type NetworkModel } from '@assay/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { RefusedError } from '../http/dialectError.ts'
import { paymentRequirements } from '../payment/offer.ts'
import { pathsOffered } from '../routing/survey.ts'
import { OPENAPI } from './openapi.ts'
import { type PageQuery, pageOf } from './pageOf.ts'

/** What the gateway says about itself: models and prices, terms of payment, health, metrics, its interface. */
export function infoRoutes(server: FastifyInstance, context: Context): void {
  const { network } = context

  async function modelJson(model: NetworkModel) {
    const price = await context.priceOf(model.modelId)
    return {
      id: model.name,
      object: 'model',
      created: 0,
      owned_by: 'assay',
      // What Anthropic's clients read of the same entry.
      type: 'model',
      display_name: model.name,
      created_at: '1970-01-01T00:00:00Z',
      assay: {
        modelId: model.modelId,
        contextLength: model.contextLength,
        modes: model.modes,
        // Null while no node has said.
        paths: pathsOffered(context, model) ?? null,
        // OPG base units per call and per token.
        price: {
          perCall: price.perCall.toString(),
          input: price.inputPrice.toString(),
          output: price.outputPrice.toString(),
        },
      },
    }
  }

  server.get('/v1/models', async ({ query }: FastifyRequest<{ Querystring: PageQuery }>) =>
    pageOf(await Promise.all(network.models.map(modelJson)), query),
  )

  server.get('/v1/models/:id', async (request: FastifyRequest<{ Params: { id: string } }>) => {
    const model = context.models.get(request.params.id)
    if (model !== undefined) return modelJson(model)
    throw new RefusedError({
      status: 404,
      message: `The model \`${request.params.id.slice(0, 64)}\` does not exist; GET /v1/models lists those that do.`,
      type: 'invalid_request_error',
      code: 'model_not_found',
      param: 'model',
    })
  })

  server.get('/.well-known/x402', async () => ({
    x402Version: 2,
    resources: Object.keys(INFERENCE_PATHS).map((path) => `${network.gatewayUrl}${path}`),
    // The amount depends on the request; an unpaid request is answered with its own.
    accepts: paymentRequirements(
      { chainId: network.chainId, token: network.contracts.OPG, till: context.till },
      0n,
    ),
    gateway: context.committer,
    escrow: network.contracts.InferenceEscrow,
    deploymentId: network.deploymentId,
  }))

  // Ready means that a call can be served now: a gateway without a healthy node is up, but not ready.
  server.get('/health', async (_request, reply) => {
    const healthy = context.nodes.nodes.some((node) => node.healthy)
    return reply.status(healthy && !context.draining ? 200 : 503).send({
      status: context.draining ? 'draining' : healthy ? 'ok' : 'no healthy node yet',
      // What OpenGradient's health says besides; that its status is "OK" nobody reads but people.
      ...(network.profile === undefined ? {} : { version: '1.0.0', tee_enabled: true }),
      gateway: context.committer,
      till: context.till,
      chainId: network.chainId,
      nodes: context.nodes.nodes.map(({ operator, url, healthy, draining, running, breaker }) => ({
        operator,
        url,
        healthy,
        draining,
        running,
        circuit: breaker.state(performance.now()),
      })),
      running: context.inFlight.size,
    })
  })

  server.get('/metrics', async (_request, reply) =>
    reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(context.metrics.render()),
  )
  server.get('/openapi.json', async () => OPENAPI)
}
