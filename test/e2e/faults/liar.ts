import { developmentAccount, type Sender } from '@assay/chain'
import {
  type Batch,
  type BatchEntry,
  buildBatch,
  type GroupHeader,
  groupHeaders,
  type Network,
  settlementAbi,
} from '@assay/protocol'
import { type Address, type Hex, keccak256, toHex } from 'viem'
import { bondedOperator, deploymentAt, FIRST_PLAYER, openTill, registerKey } from '../../faults/operators.ts'
import { type BatchServer, startBatchServer } from './batchServer.ts'

/** Development accounts that play the dishonest and those who trust them; none is part of an honest network. */
export const CAST = {
  forger: FIRST_PLAYER + 40,
  twoAnswers: FIRST_PLAYER + 41,
  gateway: FIRST_PLAYER + 42,
  copier: FIRST_PLAYER + 43,
  overclaimer: FIRST_PLAYER + 44,
  withholder: FIRST_PLAYER + 45,
  accomplice: FIRST_PLAYER + 46,
  falseWitness: FIRST_PLAYER + 47,
  delegator: FIRST_PLAYER + 48,
  leaver: FIRST_PLAYER + 49,
  sower: FIRST_PLAYER + 50,
  falseProver: FIRST_PLAYER + 51,
  bribed: FIRST_PLAYER + 52,
} as const

/** A bonded operator with a signing key, a till and a server of its own: a node and a gateway in one, of any morals. */
export type Player = {
  address: Address
  sender: Sender
  /** Where it listens. */
  url: string
  /** Registered for it as a node. */
  key: Address
  keySecret: Hex
  /** Builds its next batch; heights count up. */
  build(receipts: readonly BatchEntry[]): Batch
  /** Puts a batch on chain, with the groups that it likes. @returns the transaction */
  commit(batch: Batch, groups?: readonly GroupHeader[]): Promise<Hex>
  /** Lets everybody fetch the batch file under a batch id. */
  publish(batchId: Hex, file: Uint8Array): void
}

/** @param stage closes the player's server once the curtain is down: an audit asks it for its batch files */
export async function createPlayer(
  { network, atEnd }: { network: Network; atEnd: (close: () => void) => void },
  index: number,
): Promise<Player> {
  const server: BatchServer = await startBatchServer()
  atEnd(server.close)
  const sender = await bondedOperator(network, index, server.url)
  await openTill(network, sender, server.url)
  // No account of the phrase: the key of one answer must not be able to move money.
  const keySecret = keccak256(
    toHex(`development key of account ${index}: ${developmentAccount(index).address}`),
  )
  const key = await registerKey(network, sender, keySecret)
  let height = 0n
  return {
    address: sender.address,
    sender,
    url: server.url,
    key,
    keySecret,
    build(receipts) {
      height += 1n
      return buildBatch({ deployment: deploymentAt(network), committer: sender.address, height, receipts })
    },
    async commit(batch, groups = groupHeaders(batch)) {
      const { transactionHash } = await sender.send({
        address: network.contracts.Settlement,
        abi: settlementAbi,
        functionName: 'commit',
        args: [batch.header.height, batch.header.dataHash, groups],
      })
      return transactionHash
    },
    publish: server.publish,
  }
}
