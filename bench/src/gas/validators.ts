import { createSender, DEVELOPMENT_ROLES, developmentAccount } from '@assay/chain'
import { opgAbi, tag, validatorStakingAbi } from '@assay/protocol'
import { parseEther } from 'viem'
import type { LocalNetwork } from '../localNetwork.ts'

/** What each validator of the development network has at stake. */
const SELF_BOND = parseEther('1000')
const GAS_MONEY = parseEther('1')

/** Registers validators of equal stake until the network has `count`. */
export async function growTo(local: LocalNetwork, count: number): Promise<void> {
  const { network, validators } = local
  const senderOf = (privateKey: `0x${string}`) => createSender({ network, privateKey })
  const bank = senderOf(developmentAccount(DEVELOPMENT_ROLES.deployer).privateKey)
  const token = { address: network.contracts.OPG, abi: opgAbi } as const
  const staking = network.contracts.ValidatorStaking
  const first = validators.length
  const newcomers = Array.from({ length: count - first }, (_, at) => {
    const privateKey = tag(`bench validator ${first + at}`)
    return { privateKey, sender: senderOf(privateKey) }
  })
  await Promise.all(
    newcomers.map(async ({ sender }) => {
      await bank.transferEther(sender.address, GAS_MONEY)
      await bank.send({ ...token, functionName: 'transfer', args: [sender.address, SELF_BOND] })
      await sender.send({ ...token, functionName: 'approve', args: [staking, SELF_BOND] })
      const args = ['http://127.0.0.1:9', SELF_BOND]
      await sender.send({ address: staking, abi: validatorStakingAbi, functionName: 'register', args })
    }),
  )
  validators.push(...newcomers)
}
