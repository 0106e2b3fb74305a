import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { developmentAccount, publicClientOf } from '@assay/chain'
import { canaryRegistryAbi } from '@assay/protocol'
import { type Hex, parseEther } from 'viem'
import { bondedOperator, bondOf, outfit, voidFeesOf } from '../../faults/operators.ts'
import { temporaryFolder } from '../../temporaryFolder.ts'
import { CAST } from './liar.ts'
import type { Stage } from './stage.ts'

/** Deposit and reward of a development network, OPG base units. */
const [DEPOSIT, REWARD] = [parseEther('10'), parseEther('5')]

/** Sows a canary by `assay validator canary seed`, and sees that it costs its sower the reward and nobody anything else. */
export async function sowByCommand({ network, assay, tell }: Stage): Promise<{ batchId: Hex }> {
  const folder = temporaryFolder('canary')
  const { address, privateKey } = developmentAccount(CAST.sower)
  await bondedOperator(network, CAST.sower, 'http://127.0.0.1:9')
  await outfit(network, CAST.sower, DEPOSIT + REWARD)
  const keyFile = path.join(folder, 'sower.key')
  writeFileSync(keyFile, `${privateKey}\n`, { mode: 0o600 })
  const bonded = await bondOf(network, address)
  const command = ['validator', 'canary', 'seed', '--key-file', keyFile, '--data', folder, '--json']
  const { code, stdout, stderr } = await assay(...command)
  assert.equal(code, 0, stderr)
  for (const line of stderr.trimEnd().split('\n')) tell(line)
  const { batchId, returned, penalties } = JSON.parse(stdout) as {
    batchId: Hex
    returned: string
    penalties: unknown[]
  }
  assert.equal(returned, DEPOSIT.toString())
  assert.deepEqual(penalties, [], 'every validator of the network has looked')
  const left = await bondOf(network, address)
  assert.equal(left + (await voidFeesOf(network, address)), bonded, 'a canary is no fault')
  const revealed = await publicClientOf(network).getContractEvents({
    address: network.contracts.CanaryRegistry,
    abi: canaryRegistryAbi,
    eventName: 'CanaryRevealed',
    args: { batchId },
    fromBlock: 0n,
    strict: true,
  })
  const [{ args } = assert.fail('it was revealed')] = revealed
  assert.equal(args.flaggerReward + args.voicesReward, REWARD, 'who noticed shares the reward')
  return { batchId }
}
