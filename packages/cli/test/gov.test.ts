import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  createSender,
  DEVELOPMENT_ROLES,
  type Devnet,
  developmentAccount,
  publicClientOf,
  readChainView,
  saveNetwork,
  startDeployedDevnet,
} from '@assay/chain'
import {
  assayDomain,
  deploymentOf,
  HARDWARE_NITRO_SIM,
  MODE,
  type Network,
  type Receipt,
  receiptDigest,
  STATUS,
  signDigest,
  teeRegistryAbi,
} from '@assay/protocol'
import { verifyReceipt } from '@assay/verify'
import { type Hex, numberToHex, zeroHash } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { runAssay } from './runAssay.ts'

const word = (byte: string): Hex => `0x${byte.repeat(32)}`
/** Blocks: nobody is too late for a vote on any machine, and who waits for its end mines them. */
const VOTING_PERIOD = 1000n
const ROOT = word('a1')
const CODE = word('c0')
/** Signing key of an enclave that would run the code under vote. */
const enclave = privateKeyToAccount(word('5e'))

let devnet: Devnet
let network: Network
let home: string

before(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('ASSAY_')) delete process.env[name]
  home = mkdtempSync(path.join(tmpdir(), 'assay-gov-'))
  process.env.ASSAY_HOME = home
  const approvals = [
    { hardwareType: HARDWARE_NITRO_SIM, rootHash: ROOT, measurement: word('b2'), engineClasses: 1 },
  ]
  const governance = { votingPeriod: VOTING_PERIOD }
  ;({ devnet, network } = await startDeployedDevnet(home, { approvals, governance }))
  saveNetwork(path.join(home, 'network.json'), network)
})
after(async () => {
  await devnet?.close()
  delete process.env.ASSAY_HOME
  rmSync(home, { recursive: true, force: true })
})

async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await runAssay(...args, '--json')
  assert.equal(code, 0, out + err)
  return JSON.parse(out) as T
}

async function refused(...args: string[]): Promise<{ code: string; facts: Record<string, unknown> }> {
  const { code, out } = await runAssay(...args, '--json')
  assert.notEqual(code, 0, out)
  return (JSON.parse(out) as { error: { code: string; facts: Record<string, unknown> } }).error
}

type ProposalJson = { number: number; state: string; votes: { for: string }; actions: { text: string }[] }

/** From proposal to effect, by the commands a person would type. */
async function pass(...what: string[]): Promise<ProposalJson> {
  const { number } = await json<ProposalJson>('gov', 'propose', ...what, '--as', 'deployer')
  const id = String(number)
  await json('gov', 'vote', id, 'for', '--as', 'deployer', '--wait')
  await json('gov', 'vote', id, 'for', '--as', 'validator-1')
  await devnet.admin('anvil_mine', [numberToHex(VOTING_PERIOD)])
  await json('gov', 'queue', id, '--wait')
  return json<ProposalJson>('gov', 'execute', id, '--wait')
}

/** The node registers the enclave's key under `CODE`, and the three validators vote it in. */
async function admitKey(): Promise<void> {
  const at = { address: network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  const client = publicClientOf(network)
  const node = createSender({ network, privateKey: developmentAccount(DEVELOPMENT_ROLES.node).privateKey })
  const claim = [enclave.address, HARDWARE_NITRO_SIM, ROOT, CODE, 1, word('ee')] as const
  await node.send({ ...at, functionName: 'proposeKey', args: [...claim, 'data:,'] })
  const registrationId = await client.readContract({
    ...at,
    functionName: 'registrationIdOf',
    args: [node.address, ...claim],
  })
  for (const index of DEVELOPMENT_ROLES.validators) {
    const signature = await privateKeyToAccount(developmentAccount(index).privateKey).signTypedData({
      domain: assayDomain(deploymentOf(network)),
      types: {
        KeyVote: [
          { name: 'registrationId', type: 'bytes32' },
          { name: 'valid', type: 'bool' },
        ],
      },
      primaryType: 'KeyVote',
      message: { registrationId, valid: true },
    })
    await node.send({ ...at, functionName: 'voteKey', args: [registrationId, true, signature] })
  }
}

/** A receipt that the enclave signs at a time, and what the verifier says of its key and code. */
async function judge(issuedAt: bigint): Promise<Record<string, string>> {
  const client = publicClientOf(network)
  const anchor = await client.getBlock()
  const receipt: Receipt = {
    version: 1,
    requestId: word('11'),
    payer: developmentAccount(DEVELOPMENT_ROLES.demo).address,
    node: developmentAccount(DEVELOPMENT_ROLES.node).address,
    key: enclave.address,
    seq: 1n,
    committer: network.gateway,
    includeBy: issuedAt + 60n,
    modelId: word('c3'),
    priceVersion: 1n,
    engineClass: 0,
    mode: MODE.tee,
    status: STATUS.complete,
    requestHash: zeroHash,
    responseHash: zeroHash,
    evidenceHash: zeroHash,
    inputUnits: 1n,
    outputUnits: 1n,
    price: 6n,
    valueAtRisk: 0n,
    anchorBlock: anchor.number,
    anchorHash: anchor.hash,
    issuedAt,
  }
  const signature = await signDigest(receiptDigest(receipt, deploymentOf(network)), word('5e'))
  const signed = { receipt, signature }
  const { steps } = await verifyReceipt(signed, await readChainView(client, network, signed))
  const of = ['signatureRecoversKey', 'keyWasAttested', 'measurementWasApproved']
  return Object.fromEntries(
    steps.filter(({ name }) => of.includes(name)).map(({ name, code }) => [name, code]),
  )
}

const now = async () => (await publicClientOf(network).getBlock()).timestamp

test('a measurement admitted by vote becomes valid; revoked by vote, new receipts fail and earlier ones stay valid', async () => {
  const passed = await pass('approve-measurement', 'nitro-sim', CODE, '0')
  assert.equal(passed.state, 'executed')
  assert.match(passed.actions[0]?.text ?? '', /^TeeRegistry\.approveMeasurement\(0x.*, 1\)$/)
  // The bank's tokens, and the validator's stake of 1,000.
  assert.ok(BigInt(passed.votes.for) > 40_000_000n * 10n ** 18n)
  assert.equal(BigInt(passed.votes.for) % 10n ** 18n, 0n)
  await admitKey()
  const issued = await now()
  const good = { signatureRecoversKey: 'ok', keyWasAttested: 'ok', measurementWasApproved: 'ok' }
  assert.deepEqual(await judge(issued), good)

  await pass('revoke-measurement', 'nitro-sim', CODE, '--description', 'The code leaks.')
  assert.deepEqual(await judge(issued), good)
  assert.deepEqual(await judge(await now()), { ...good, measurementWasApproved: 'measurement_not_approved' })
})

test('the history says of every root, measurement and rule when it counted, and by which proposal', async () => {
  const set = await pass('set-rule', 'nitro-sim', `gpu-root/${word('77')}`, '1')
  type Happened = { what: string; value?: string; time: string; block: string; proposal: number | null }
  type Kept = { kind: string; id: string; validFrom: string; revokedAt: string; events: Happened[] }
  const { records } = await json<{ records: Kept[] }>('gov', 'rules', 'nitro-sim', '--history')
  const shown = ({ kind, id, events }: Kept): string =>
    [kind, id, ...events.map(({ what, value = '', proposal }) => `${what} ${value} ${proposal}`)].join(' | ')
  assert.deepEqual(records.map(shown), [
    `hardware | ${zeroHash} | approved  null`,
    `root | ${ROOT} | approved  null`,
    `measurement | ${word('b2')} | approved 1 null`,
    `measurement | ${CODE} | approved 1 1 | revoked  2`,
    `rule | gpu-root/${word('77')} | set 1 ${set.number}`,
  ])
  for (const { kind, validFrom, revokedAt, events } of records) {
    assert.equal(validFrom, events[0]?.time)
    assert.equal(revokedAt, kind === 'measurement' && events.length === 2 ? events[1]?.time : '0')
  }
  const { out } = await runAssay('gov', 'rules', 'nitro-sim', '--history')
  assert.match(
    out,
    /^hardware nitro-sim, valid from 20\S+Z on\n {2}20\S+Z {2}block \d+ {2}approved, at deployment$/m,
  )
  assert.match(out, new RegExp(`^measurement ${CODE}, valid from \\S+Z until \\S+Z$`, 'm'))
  assert.match(out, /revoked, proposal 2$/m)
  const after = Number(records.at(-1)?.events.at(-1)?.block) + 1
  const since = ['--since', String(after)]
  const later = await json<{ records: Kept[] }>('gov', 'rules', 'nitro-sim', '--history', ...since)
  assert.deepEqual(later.records, [])
  assert.match(
    (await runAssay('gov', 'rules', 'snp', '--history')).out,
    /^Nothing was ever decided about snp/,
  )
  assert.equal((await refused('gov', 'rules', 'abacus', '--history')).code, 'usage')
  assert.equal((await refused('gov', 'rules', 'snp', '--history', '--since', '-1')).code, 'usage')
})

test('each step says why it cannot be taken, and what comes next', async () => {
  assert.equal((await refused('gov', 'propose', 'set', 'GRACE', '9')).code, 'too_few_votes')
  const tooHigh = await refused('gov', 'propose', 'set', 'UNBONDING', '31d', '--as', 'deployer')
  assert.deepEqual([tooHigh.code, tooHigh.facts.value, tooHigh.facts.max], ['usage', '2678400', '2592000'])
  assert.equal((await refused('gov', 'propose', 'set', 'NOTHING', '1', '--as', 'deployer')).code, 'usage')
  assert.equal((await refused('gov', 'propose', 'nonsense', '--as', 'deployer')).code, 'usage')
  // A rule about Intel's platforms says nothing of AMD's, and one that nobody knows would change nothing.
  for (const rule of ['deny-fmspc/0x00906ed50000', 'deny-chip/0x01', 'nonsense']) {
    const { code } = await refused('gov', 'propose', 'set-rule', 'snp', rule, '1', '--as', 'deployer')
    assert.equal(code, 'usage', rule)
  }
  const set = ['set-rule', 'snp', 'minimum-tcb/Genoa', '0x1600000000000a04', '--as', 'deployer']
  const ruling = await json<ProposalJson>('gov', 'propose', ...set)
  assert.match(ruling.actions[0]?.text ?? '', /setRule\(0x.*, minimum-tcb\/Genoa, 1585267068834417156\)$/)
  const ruled = await json<{ rules: Record<string, string> }>('gov', 'rules', 'snp', 'minimum-tcb/Genoa')
  assert.deepEqual(ruled.rules, { 'minimum-tcb/Genoa': '0' }, 'proposed is not voted')
  assert.match((await runAssay('gov', 'rules', 'tdx')).out, /deny-fmspc\/0x<6 bytes> +this family is refused/)
  assert.equal((await refused('gov', 'rules', 'abacus')).code, 'usage')
  assert.equal((await refused('gov', 'vote', '99', 'for')).code, 'not_found')
  assert.equal((await refused('gov', 'vote', '1', 'maybe')).code, 'usage')
  assert.equal((await refused('gov', 'vote', '1', 'for')).code, 'wrong_state')
  assert.equal((await refused('gov', 'propose', 'set', 'GRACE', '9', '--as', 'nobody')).code, 'unknown_role')

  const proposal = await json<ProposalJson>('gov', 'propose', 'set', 'grace', '6s', '--as', 'deployer')
  assert.equal(proposal.actions[0]?.text, 'ParamStore.set(GRACE, 6)')
  const id = String(proposal.number)
  assert.equal((await refused('gov', 'queue', id)).code, 'not_yet')
  assert.equal((await refused('gov', 'execute', id)).code, 'not_yet')
  // Its tokens were never delegated.
  assert.equal((await refused('gov', 'vote', id, 'for', '--wait')).code, 'no_votes')
  const status = await runAssay('gov', 'status')
  assert.equal(status.code, 0, status.err)
  assert.match(status.out, new RegExp(`${id} {2}active`))
  assert.match(status.out, /1 {2}executed/)
  assert.match(status.out, /quorum +4% of the supply/)
  const shown = await runAssay('gov', 'status', '2')
  assert.match(shown.out, /described as +The code leaks\./)
  // Its name ends in 0x50, of which half a byte looks like padding.
  const cap = ['propose', 'set', 'BOUNTY_CAP', '20000000000000000000000', '--as', 'deployer']
  const capped = await json<ProposalJson>('gov', ...cap)
  assert.equal(capped.actions[0]?.text, 'ParamStore.set(BOUNTY_CAP, 20000000000000000000000)')
  const { parameters } = await json<{ parameters: { name: string; value: string }[] }>('gov', 'params')
  for (const { name } of parameters) assert.match(name, /^[A-Z_]+$/)
  assert.equal(parameters.find(({ name }) => name === 'GRACE')?.value, '5')
  const delegated = await json<{ votes: string }>('gov', 'delegate', '--as', 'demo')
  assert.equal(delegated.votes, String(10_000n * 10n ** 18n))
})

test('assay supply shows the public allocation on its curve', async () => {
  type Supply = Record<'total' | 'unvested' | 'reserves' | 'circulating' | 'staked', string> & {
    buckets: { name: string; total: string; atTge: string; vested: string }[]
  }
  const supply = await json<Supply>('supply')
  const million = 10n ** 24n
  assert.equal(BigInt(supply.total), 1000n * million)
  assert.equal(
    BigInt(supply.circulating),
    1000n * million - BigInt(supply.unvested) - BigInt(supply.reserves),
  )
  assert.ok(BigInt(supply.circulating) > 190n * million, 'minutes after the TGE some is vested')
  assert.equal(BigInt(supply.staked), 3000n * 10n ** 18n)
  const table = supply.buckets.map(({ name, total, atTge }) => [
    name,
    BigInt(total) / million,
    BigInt(atTge) / million,
  ])
  assert.deepEqual(table, [
    ['Ecosystem', 400n, 40n],
    ['Foundation', 150n, 50n],
    ['Core contributors', 150n, 0n],
    ['Investors and advisors', 100n, 0n],
    ['Staking rewards', 100n, 0n],
    ['Liquidity and launch', 60n, 60n],
    ['Airdrop', 40n, 40n],
  ])
  const { out, code } = await runAssay('supply')
  assert.equal(code, 0)
  assert.match(out, /circulating +[0-9.]+ OPG {2}[0-9.]+%/)
})
