/** A chain with every contract, three validators that vote on keys, and operators whose enclaves are simulated. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import {
  bondDevelopmentOperator,
  createSender,
  DEVELOPMENT_ROLES,
  developmentAccount,
  type EnclaveApproval,
  type Sender,
  startDeployedDevnet,
} from '@assay/chain'
import {
  canonicalJsonBytes,
  deploymentOf,
  type Evidence,
  evidenceToJson,
  teeRegistryAbi,
} from '@assay/protocol'
import { startValidator } from '@assay/validator'
import { type Address, type Hex, keccak256 } from 'viem'
import { temporaryFolder } from '../temporaryFolder.ts'

/** What validators said of a proposal. */
export type Judgement = { registrationId: Hex; verdict: string; code: string; reason: string }

/** Index of the development account that runs a second node. */
const SECOND_OPERATOR = 15

export async function startEnclaveNetwork(approvals: readonly EnclaveApproval[], keyTerm: bigint) {
  const folder = temporaryFolder('enclaves')
  const files = new Map<string, Uint8Array>()
  const server = createServer((request, response) => {
    const file = files.get((request.url ?? '').slice(1))
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const { devnet, network, client } = await startDeployedDevnet(folder, {
    nodeUrl: url,
    gatewayUrl: url,
    approvals,
    governance: { keyTerm },
  })
  await bondDevelopmentOperator(network, { index: SECOND_OPERATOR, url })
  const of = (index: number) => developmentAccount(index)
  const senderOf = (index: number): Sender => createSender({ network, privateKey: of(index).privateKey })
  const validatorAccounts = DEVELOPMENT_ROLES.validators.map(of)
  const judged: Judgement[] = []
  const waiting = new Set<() => void>()
  const validators = await Promise.all(
    validatorAccounts.map(({ privateKey }, at) =>
      startValidator({
        network,
        privateKey,
        dataDir: path.join(folder, `validator-${at}`),
        port: 0,
        log: (event, facts) => {
          if (event !== 'judged key') return
          judged.push(facts as Judgement)
          for (const look of waiting) look()
        },
      }),
    ),
  )

  /** Resolves once all three validators have judged a proposal; they run one code, so they say one thing. */
  function judgement(registrationId: Hex): Promise<Judgement> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = judged.filter((one) => one.registrationId === registrationId)
        if (found.length < validators.length) return
        waiting.delete(look)
        resolve(found[0] as Judgement)
      }
      waiting.add(look)
      look()
    })
  }

  /** Stores evidence where validators fetch it; the hash that is registered. */
  function publish(evidence: Evidence): Hex {
    const bytes = canonicalJsonBytes(evidenceToJson(evidence))
    const hash = keccak256(bytes)
    files.set(hash, bytes)
    return hash
  }

  /** Proposes a key as its operator, and waits for what the validators say. */
  async function propose(
    operator: Sender,
    claim: { key: Address; hardwareType: Hex; rootHash: Hex; measurement: Hex },
    evidence: Evidence,
  ): Promise<Judgement> {
    const at = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
    const evidenceHash = publish(evidence)
    const { key, hardwareType, rootHash, measurement } = claim
    const args = [key, hardwareType, rootHash, measurement, 1, evidenceHash] as const
    await operator.send({ ...at, functionName: 'proposeKey', args: [...args, `${url}/${evidenceHash}`] })
    const registrationId = await client.readContract({
      ...at,
      functionName: 'registrationIdOf',
      args: [operator.address, ...args],
    })
    return judgement(registrationId)
  }

  return {
    devnet,
    network,
    deployment: deploymentOf(network),
    client,
    folder,
    url,
    registry: { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const,
    bank: senderOf(DEVELOPMENT_ROLES.deployer),
    operators: [senderOf(DEVELOPMENT_ROLES.node), senderOf(SECOND_OPERATOR)] as const,
    publish,
    propose,
    judged,
    async close() {
      await Promise.all(validators.map((validator) => validator.close()))
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await devnet.close()
    },
  }
}
