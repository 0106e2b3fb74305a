import {
  type BatchEntry,
  contractEntry,
  grantRows,
  inferenceEscrowAbi,
  proveInclusion,
  spendingGrantsAbi,
} from '@assay/protocol'
import { LOCAL_PRICE, type LocalNetwork, startLocalNetwork } from '../localNetwork.ts'
import { number, printTable } from '../table.ts'
import { attestBatch, type Committed, commitBatch, settlementOf, windowOver } from './batchOnChain.ts'
import { callsUnder, openGrants } from './grantCalls.ts'
import { signReceipts } from './receipts.ts'
import { SCENARIO } from './scenario.ts'
import { perInference, type Spending, spendingOf, sumOf } from './spending.ts'
import { stockPayment } from './stockPayments.ts'
import { growTo } from './validators.ts'

const { inferences, rowsAtOnce, paymentsAtOnce } = SCENARIO

type Steps = { commit: Spending; attest: Spending; finalise: Spending; pay: Spending }

/** Settles a batch that is due: its first transaction also makes it final. */
async function settleGrants(local: LocalNetwork, { batch }: Committed): Promise<Spending> {
  const rows = grantRows(batch)
  const grants = { address: local.network.contracts.SpendingGrants, abi: spendingGrantsAbi } as const
  const spendings: Spending[] = []
  for (let at = 0; at < rows.length; at += rowsAtOnce) {
    const args = [batch.batchId, rows.slice(at, at + rowsAtOnce)]
    spendings.push(
      await spendingOf(local, await local.gateway.send({ ...grants, functionName: 'settle', args })),
    )
  }
  return sumOf(spendings)
}

const NOTHING: Spending = { gas: 0, bytes: 0 }

async function measureGrants(
  local: LocalNetwork,
  receipts: readonly BatchEntry[],
  delivery: 'together' | 'each' = 'together',
): Promise<Steps> {
  const committed = await commitBatch(local, receipts)
  const attested = await attestBatch(local, committed, delivery)
  await windowOver(local, committed)
  return {
    commit: await spendingOf(local, committed.commit),
    attest: await spendingOf(local, ...attested),
    finalise: NOTHING,
    pay: await settleGrants(local, committed),
  }
}

/** Payments in full batches; what one costs is multiplied, since each stands for itself. */
async function measureStock(local: LocalNetwork, scheme: 'exact' | 'upto'): Promise<Steps> {
  const { network, gateway } = local
  const escrow = { address: network.contracts.InferenceEscrow, abi: inferenceEscrowAbi } as const
  const amount = 10n * LOCAL_PRICE.perCall
  const payments: Awaited<ReturnType<typeof stockPayment>>[] = []
  for (let at = 0; at < paymentsAtOnce; at++) payments.push(await stockPayment(local, scheme, amount))
  const price = 2n * LOCAL_PRICE.perCall
  const collect =
    scheme === 'exact'
      ? {
          functionName: 'collectExact',
          items: payments.flatMap((p) =>
            p.scheme === 'exact' ? [{ ...p.exact, gateway: gateway.address }] : [],
          ),
        }
      : {
          functionName: 'collectUpto',
          items: payments.flatMap((p) => (p.scheme === 'upto' ? [{ ...p.upto, amount: price }] : [])),
        }
  const collected = await gateway.send({
    ...escrow,
    functionName: collect.functionName,
    args: [collect.items],
  })
  const first = payments[0] as (typeof payments)[number]
  const receipts = await signReceipts(local, inferences, (at) => {
    const { requestId, payer } = payments[at] ?? {
      ...first,
      requestId: `0x${(at + 1).toString(16).padStart(64, '0')}`,
    }
    return { requestId, payer }
  })
  const committed = await commitBatch(local, receipts)
  const attested = await attestBatch(local, committed, 'together')
  await windowOver(local, committed)
  const { batch } = committed
  const finalised = await gateway.send({
    ...settlementOf(local),
    functionName: 'finalise',
    args: [batch.batchId],
  })
  const items = payments.map(({ requestId }) => {
    const { entry, ...path } = proveInclusion(batch, requestId)
    return { batchId: batch.batchId, entry: contractEntry(entry), path }
  })
  const settled = await gateway.send({ ...escrow, functionName: 'settle', args: [items] })
  for (const { requestId } of payments) {
    const payment = await local.client.readContract({ ...escrow, functionName: 'payment', args: [requestId] })
    if (payment[5] !== 2)
      throw new Error(`Payment ${requestId} was not paid out; its state is ${payment[5]}.`)
  }
  const paid = await spendingOf(local, collected, settled)
  const times = inferences / paymentsAtOnce
  return {
    commit: await spendingOf(local, committed.commit),
    attest: await spendingOf(local, ...attested),
    finalise: await spendingOf(local, finalised),
    pay: { gas: paid.gas * times, bytes: paid.bytes * times },
  }
}

function rowOf(name: string, steps: Steps, count: number = inferences): string[] {
  const each = perInference(sumOf(Object.values(steps)), count)
  const cells = [steps.commit, steps.attest, steps.finalise, steps.pay].map(({ gas }) => number(gas))
  return [name, ...cells, number(each.gas, 1), number(each.bytes, 2)]
}

/** Gas of everything behind one inference, payment included, from transactions mined on a fresh devnet. */
export async function benchGas(): Promise<void> {
  const local = await startLocalNetwork()
  try {
    const rows: string[][] = []
    const calls = new Map<number, BatchEntry[]>()
    for (const payers of SCENARIO.payers) {
      calls.set(payers, await callsUnder(local, await openGrants(local, payers)))
    }
    const under = (payers: number) => calls.get(payers) as BatchEntry[]
    // An earlier batch, so that what is written once and for all is written.
    for (const payers of SCENARIO.payers) await measureGrants(local, under(payers))
    const alone = rowOf(
      '3 validators, each sends its own, 1 payer',
      await measureGrants(local, under(1), 'each'),
    )
    for (const validators of SCENARIO.validators) {
      await growTo(local, validators)
      for (const payers of SCENARIO.payers) {
        const steps = await measureGrants(local, under(payers))
        rows.push(rowOf(`${validators} validators, ${number(payers)} under grants`, steps))
      }
      if (validators === SCENARIO.validators[0]) {
        rows.push(alone)
        for (const count of SCENARIO.smaller) {
          const steps = await measureGrants(local, under(1).slice(0, count))
          rows.push(rowOf(`${validators} validators, 1 under grants, ${number(count)} a batch`, steps, count))
        }
        for (const scheme of ['exact', 'upto'] as const) {
          rows.push(rowOf(`${validators} validators, x402 ${scheme}`, await measureStock(local, scheme)))
        }
      }
    }
    printTable(
      `Gas of a batch of ${number(inferences)} inferences (mined) and of each of them, payment included; bytes for Base's L1 data fee (Fjord) apart`,
      ['validators, payers', 'commit', 'attest', 'finalise', 'pay', 'gas each', 'L1 bytes each'],
      rows,
    )
  } finally {
    await local.close()
  }
}
