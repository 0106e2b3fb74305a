import {
  costOfCorruption,
  publicClientOf,
  readTotalStake,
  readValidatorStake,
  readValidators,
} from '@assay/chain'
import { formatOpg, manifestOfUri } from '@assay/protocol'
import type { Hex } from 'viem'
import type { Assay } from './createAssay.ts'
import { SdkError } from './errors.ts'
import { readRequestReport } from './requestReport.ts'

/** Something an agent may do, in the form that every framework of agents knows: a name, a JSON schema, a function. */
export type AgentTool = {
  name: string
  description: string
  inputSchema: { type: 'object'; properties: Record<string, object>; required: string[] }
  /** Whether it spends. */
  pays: boolean
  /**
   * @param options `signal` ends it: a model that is at work stops, and what it was not heard to say is not paid for
   * @throws SdkError, whose message is for the agent; the signal's reason where that ended it
   */
  run(
    input: Readonly<Record<string, unknown>>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Record<string, unknown>>
}

const MAX_MODELS = 50
const MAX_VALIDATORS = 100

/** Tools over one client of the network. What they may spend is bounded by its `maxPerCall` and `spending`. */
export function agentTools({ network, chain, llm }: Assay): AgentTool[] {
  const client = publicClientOf(network)

  const infer: AgentTool = {
    name: 'assay_infer',
    description:
      'Ask a model of the Assay network. It is paid for, and the answer comes only if the node signed for exactly these bytes. Returns the answer, its request id for assay_verify, its price and what one trusts in it.',
    inputSchema: {
      type: 'object',
      properties: {
        prompt: { type: 'string', description: 'What to ask.' },
        system: { type: 'string', description: 'System message.' },
        model: {
          type: 'string',
          description: 'Name of a model; assay_models lists them. Default: the first.',
        },
        max_tokens: { type: 'integer', minimum: 1, description: 'Longest answer, tokens. Default 256.' },
      },
      required: ['prompt'],
    },
    pays: true,
    async run(input, { signal } = {}) {
      const model = textIn(input, 'model') ?? network.models[0]?.name
      if (model === undefined) throw badInput('The network lists no model.')
      const system = textIn(input, 'system')
      const { max_tokens = 256 } = input
      if (typeof max_tokens !== 'number') throw badInput('max_tokens must be a number.')
      const { chatOutput, receipt, report } = await llm.chat({
        model,
        messages: [
          ...(system === undefined ? [] : [{ role: 'system', content: system }]),
          { role: 'user', content: mustHave(input, 'prompt') },
        ],
        max_tokens,
        wait: 'answer',
        signal,
      })
      const { requestId, price } = receipt
      return {
        answer: chatOutput.content,
        verified: report.ok,
        requestId,
        price: formatOpg(price),
        trust: report.trust,
      }
    },
  }

  const verify: AgentTool = {
    name: 'assay_verify',
    description:
      'Check what the network has of a request against the chain: receipt, key, price, batch, payment. Each step is passed, failed, or skipped with its reason.',
    inputSchema: {
      type: 'object',
      properties: { requestId: { type: 'string', description: '0x and 64 hex digits.' } },
      required: ['requestId'],
    },
    pays: false,
    async run(input) {
      const id = mustHave(input, 'requestId').toLowerCase()
      if (!/^0x[0-9a-f]{64}$/.test(id)) throw badInput('requestId must be 0x and 64 hex digits.')
      const report = await readRequestReport(network, id as Hex)
      if (report === undefined) throw badInput('The gateway knows no such request.')
      const { ok, steps, missing, trust } = report
      return { ok, steps, missing, trust }
    },
  }

  const models: AgentTool = {
    name: 'assay_models',
    description:
      "Search the models of the network: name, licence, context length, ways of verification, and the publisher's price as it stands on the chain.",
    inputSchema: {
      type: 'object',
      properties: { query: { type: 'string', description: 'Part of a name. Default: all.' } },
      required: [],
    },
    pays: false,
    async run(input) {
      const query = (textIn(input, 'query') ?? '').toLowerCase()
      const found = network.models.filter(({ name }) => name.toLowerCase().includes(query))
      const shown = found.slice(0, MAX_MODELS).map(async ({ name, modelId, contextLength, modes }) => {
        const [price, uri] = await Promise.all([chain.priceOf(modelId), chain.manifestUri(modelId)])
        const manifest = manifestOfUri(uri ?? '', modelId)
        return {
          name,
          modelId,
          contextLength,
          modes,
          license: manifest?.license ?? 'unknown: its manifest is not on the chain',
          price:
            price === undefined
              ? null
              : {
                  perCall: formatOpg(price.perCall),
                  perInputToken: formatOpg(price.inputPrice),
                  perOutputToken: formatOpg(price.outputPrice),
                },
        }
      })
      return { count: found.length, models: await Promise.all(shown) }
    },
  }

  const stake: AgentTool = {
    name: 'assay_stake_status',
    description:
      'What stands behind the answers: the stake of each validator, what is open of it, and what a false final batch would cost who signed it.',
    inputSchema: { type: 'object', properties: {}, required: [] },
    pays: false,
    async run() {
      const [totalStake, addresses] = await Promise.all([
        readTotalStake(client, network),
        readValidators(client, network),
      ])
      const validators = await Promise.all(
        addresses.slice(0, MAX_VALIDATORS).map((address) => readValidatorStake(client, network, address)),
      )
      return {
        stakeOnDuty: formatOpg(totalStake),
        costOfCorruption: formatOpg(costOfCorruption(totalStake)),
        validators: validators.flatMap((one) =>
          one === undefined
            ? []
            : [
                {
                  validator: one.validator,
                  status: one.status,
                  ownBond: formatOpg(one.self),
                  delegated: formatOpg(one.delegated),
                  attestedAndNotFinal: formatOpg(one.openExposure),
                },
              ],
        ),
      }
    },
  }

  return [infer, verify, models, stake]
}

function textIn(input: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw badInput(`${name} must be a text.`)
  return value
}

function mustHave(input: Readonly<Record<string, unknown>>, name: string): string {
  const value = textIn(input, name)
  if (value === undefined || value.trim() === '') throw badInput(`${name} is missing.`)
  return value
}

function badInput(message: string): SdkError {
  return new SdkError(message, { code: 'bad_input' })
}
