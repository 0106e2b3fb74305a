import {
  costOfCorruption,
  type PublishedModel,
  publicClientOf,
  readModels,
  readTotalStake,
  readValidatorStake,
  readValidators,
} from '@assay/chain'
import { formatOpg, manifestOfUri, type Network } from '@assay/protocol'
import type { Hex } from 'viem'
import type { Assay } from './createAssay.ts'
import { SdkError } from './errors.ts'
import { readingChain } from './readingChain.ts'
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

/** Most models of the registry that a search looks at, newest first, and most that it shows. */
const MAX_SEARCHED = 1000
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
          description: 'Name of a model that is servedHere, as assay_models lists them. Default: the first.',
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
      'Check what the network has of a request against the chain: receipt, key, price, batch, payment. Each step is passed, failed, or skipped with its reason; `state` is the word of the gateway, and without steps there is no receipt: `failed` was not charged and may be asked again, `pending` is not decided yet.',
    inputSchema: {
      type: 'object',
      properties: { requestId: { type: 'string', description: '0x and 64 hex digits.' } },
      required: ['requestId'],
    },
    pays: false,
    async run(input) {
      const id = mustHave(input, 'requestId').toLowerCase()
      if (!/^0x[0-9a-f]{64}$/.test(id)) throw badInput('requestId must be 0x and 64 hex digits.')
      const known = await readRequestReport(network, id as Hex)
      if (known === undefined) throw badInput('The gateway knows no such request.')
      const { state, report } = known
      // There is nothing to check: an assistant that is told so as of a mistake would ask for another id.
      if (report === undefined) return { ok: false, state, steps: [], missing: [], trust: null }
      const { ok, steps, missing, trust } = report
      return { ok, state, steps, missing, trust }
    },
  }

  const models: AgentTool = {
    name: 'assay_models',
    description:
      "Search the models that anybody published on the chain: name, publisher, licence, context length, ways of verification, the publisher's price, and whether assay_infer can ask for it (a name alone proves nothing).",
    inputSchema: {
      type: 'object',
      properties: {
        query: {
          type: 'string',
          description: 'Words, each part of a name, id, engine, licence, publisher or mode. Default: all.',
        },
      },
      required: [],
    },
    pays: false,
    async run(input) {
      const words = (textIn(input, 'query') ?? '').toLowerCase().split(/\s+/)
      const { total, models: read } = await readingChain(readModels(client, network, MAX_SEARCHED))
      const found = read
        .filter(({ withdrawn }) => !withdrawn)
        .map((model) => describeModel(model, network))
        .filter((model) => {
          const text = Object.values(model).join('\n').toLowerCase()
          return words.every((word) => text.includes(word))
        })
        .sort((a, b) => Number(b.servedHere) - Number(a.servedHere))
      const shown = found.slice(0, MAX_MODELS).map(async (model) => {
        const price = await readingChain(chain.priceOf(model.modelId))
        return {
          ...model,
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
      return {
        published: total,
        searched: read.length,
        count: found.length,
        models: await Promise.all(shown),
      }
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

  return [infer, verify, models, stake].map((tool) => ({
    ...tool,
    run: async (input, options) => {
      mustBeKnown(tool, input)
      return tool.run(input, options)
    },
  }))
}

/** What is dropped in silence would be taken for done, by a model above all. */
function mustBeKnown({ name, inputSchema }: AgentTool, input: Readonly<Record<string, unknown>>): void {
  const known = Object.keys(inputSchema.properties)
  const other = Object.keys(input).find((member) => !known.includes(member))
  if (other === undefined) return
  throw badInput(`${name} takes no ${other.slice(0, 64)}, only: ${known.join(', ') || 'nothing'}.`)
}

const NOT_ON_CHAIN = 'unknown: its manifest is not on the chain'

/** What a search shows of a model but its price, which only those cost that are shown. */
function describeModel({ modelId, publisher, manifestUri }: PublishedModel, network: Network) {
  const served = network.models.find((model) => model.modelId === modelId)
  const manifest = manifestOfUri(manifestUri, modelId)
  return {
    name: served?.name ?? manifest?.name ?? NOT_ON_CHAIN,
    modelId,
    publisher,
    contextLength: served?.contextLength ?? manifest?.contextLength ?? null,
    modes: served?.modes ?? manifest?.modes ?? [],
    engine: manifest?.engine ?? NOT_ON_CHAIN,
    license: manifest?.license ?? NOT_ON_CHAIN,
    servedHere: served !== undefined,
  }
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
