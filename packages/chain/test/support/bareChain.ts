import path from 'node:path'
import { HARDWARE_NITRO_SIM } from '@assay/protocol'
import type { Hex } from 'viem'
import { temporaryFolder } from '../../../../test/temporaryFolder.ts'
import { ALLOCATION, type Beneficiaries } from '../../src/deploy/allocation.ts'
import { DEVELOPMENT_ROLES, developmentAccount, startDevnet } from '../../src/index.ts'

export const word = (byte: string): Hex => `0x${byte.repeat(32)}`

export const account = (role: 'deployer' | 'treasury' | 'node' | 'demo' | 'publisher' | 'gateway') =>
  developmentAccount(DEVELOPMENT_ROLES[role])

export const approval = {
  hardwareType: HARDWARE_NITRO_SIM,
  rootHash: word('a1'),
  measurement: word('b2'),
  engineClasses: 1,
}

export const beneficiaries = Object.fromEntries(
  ALLOCATION.map((bucket, at) => [bucket, developmentAccount(at).address]),
) as Beneficiaries

export type BareChain = Awaited<ReturnType<typeof startBareChain>>

/** A development chain on which nothing is deployed, and the settings of its first deployment. */
export async function startBareChain() {
  const folder = temporaryFolder('chain')
  const devnet = await startDevnet({ dir: path.join(folder, 'chain'), port: 0 })
  return {
    folder,
    devnet,
    options: () => ({
      rpcUrl: devnet.url,
      chainId: devnet.chainId,
      deployerKey: account('deployer').privateKey,
      treasury: account('treasury').address,
      approvals: [approval],
      journalFile: path.join(folder, 'deployment.json'),
      devnet,
    }),
    close: () => devnet.close(),
  }
}
