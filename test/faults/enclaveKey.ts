import { publicClientOf, type Sender } from '@assay/chain'
import { canonicalJsonBytes, evidenceToJson, type Network } from '@assay/protocol'
import { type Hex, keccak256 } from 'viem'
import { keyRegistryOf } from '../../packages/node/src/chain/keyRegistry.ts'
import type { Enclave } from '../../packages/node/src/enclaves/enclave.ts'
import { nitroSimAttester } from '../../packages/node/src/enclaves/nitroSim.ts'
import { openEnclave } from '../../packages/node/src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../../packages/node/src/enclaves/simulatedChain.ts'
import { keepRegistered } from '../../packages/node/src/register.ts'
import { deploymentAt } from './operators.ts'

/**
 * A simulated enclave of an operator, under a key that the network's validators have voted in.
 * @param parameters.root folder of the simulated root that the network approves
 * @param parameters.publish puts evidence where `uri` says that it is
 */
export async function admittedEnclave(parameters: {
  network: Network
  operator: Sender
  root: string
  publish: (hash: Hex, evidence: Uint8Array) => void
  uri: (hash: Hex) => string
}): Promise<Enclave> {
  const { network, operator, publish } = parameters
  const client = publicClientOf(network)
  const attester = nitroSimAttester(await simulatedRoot(parameters.root))
  const enclave = await openEnclave({ attester, engineClasses: 1 })
  const registry = keyRegistryOf({
    ...{ client, network, enclave, sender: operator, evidenceUri: parameters.uri },
    async makeEvidence() {
      const { number, hash } = await client.getBlock()
      const evidence = await enclave.evidence(deploymentAt(network), operator.address, { number, hash })
      const bytes = canonicalJsonBytes(evidenceToJson(evidence))
      publish(keccak256(bytes), bytes)
      return keccak256(bytes)
    },
  })
  const registration = keepRegistered({
    ...{ registry, key: enclave.key, node: operator.address, log: () => undefined },
  })
  await registration.ready
  registration.close()
  return enclave
}
