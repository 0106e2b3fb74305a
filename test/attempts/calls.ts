import {
  dataChallengeAbi,
  equivocationFaultAbi,
  faultManagerAbi,
  inferenceEscrowAbi,
  nodeBondAbi,
  opgAbi,
  rowFaultAbi,
  settlementAbi,
  sumFaultAbi,
  teeFaultAbi,
  teeRegistryAbi,
  validatorStakingAbi,
} from '@assay/protocol'
import { type Address, decodeErrorResult, type Hex } from 'viem'

/** A call as it would be sent. */
export type Call = { from: Address; to: Address; data: Hex; gas: bigint }

/** What became of it: gone through, or refused with an error's name. */
export type Outcome = { refused: string | undefined }

/** Calls that travel in one body; bodies may be 2 MiB. */
const BATCH = 50
const MOST_TRIES = 3
const ERRORS = [
  opgAbi,
  teeRegistryAbi,
  faultManagerAbi,
  teeFaultAbi,
  equivocationFaultAbi,
  sumFaultAbi,
  rowFaultAbi,
  dataChallengeAbi,
  settlementAbi,
  nodeBondAbi,
  validatorStakingAbi,
  inferenceEscrowAbi,
].flatMap((abi) => abi.filter(({ type }) => type === 'error'))

/** Simulates calls on the newest block, in their order. @throws Error where the chain gives no answer */
export async function simulate(rpcUrl: string, calls: readonly Call[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let start = 0; start < calls.length; start += BATCH) {
    const part = calls.slice(start, start + BATCH)
    const body = part.map(({ from, to, data, gas }, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'eth_call',
      params: [{ from, to, data, gas: `0x${gas.toString(16)}` }, 'latest'],
    }))
    const answers = await ask(rpcUrl, JSON.stringify(body))
    if (!Array.isArray(answers) || answers.length !== part.length) {
      throw new Error(`the chain answered ${part.length} calls with ${JSON.stringify(answers).slice(0, 300)}`)
    }
    const inOrder = [...answers].sort((a, b) => a.id - b.id)
    outcomes.push(
      ...inOrder.map(({ error }) => ({ refused: error === undefined ? undefined : nameOf(error) })),
    )
  }
  return outcomes
}

/** A simulation may be asked for again: the chain may close a connection just as it is used anew. */
async function ask(rpcUrl: string, body: string): Promise<Answer[]> {
  for (let tries = 1; ; tries++) {
    try {
      const headers = { 'content-type': 'application/json' }
      return (await (await fetch(rpcUrl, { method: 'POST', headers, body })).json()) as Answer[]
    } catch (error) {
      if (tries === MOST_TRIES) throw error
    }
  }
}

type Answer = { id: number; result?: Hex; error?: { message: string; data?: unknown } }

/** The contract error's name; else what the chain says. */
function nameOf({ message, data }: NonNullable<Answer['error']>): string {
  if (typeof data === 'string' && data.length >= 10) {
    try {
      return decodeErrorResult({ abi: ERRORS, data: data as Hex }).errorName
    } catch {
      return data.slice(0, 10)
    }
  }
  return message.slice(0, 60)
}
