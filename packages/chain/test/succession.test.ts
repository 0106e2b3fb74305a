/** A deployment that succeeds another, and what it succeeds not. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { AssayError, CONTRACT_NAMES } from '@assay/protocol'
import { type Address, parseAbi } from 'viem'
import { deploy, publicClientOf } from '../src/index.ts'
import { account, type BareChain, beneficiaries, startBareChain, word } from './support/bareChain.ts'

let on: BareChain
before(async () => {
  on = await startBareChain()
})
after(() => on.close())

test('a deployment succeeds another: the token, its holders and its allocation stay, everything else is new', async () => {
  const before = await deploy(on.options())
  const succeeding = {
    ...on.options(),
    journalFile: path.join(on.folder, 'successor.json'),
    succeeds: on.options().journalFile,
  }
  // Without the devnet's conveniences, as on a public chain: no beneficiaries are named.
  const { devnet: _, approvals: __, ...publicly } = succeeding
  let steps = 0
  await assert.rejects(
    deploy({
      ...publicly,
      onProgress: () => {
        if (++steps === 2) throw new Error('interrupted')
      },
    }),
    /interrupted/,
  )
  await assert.rejects(deploy({ ...publicly, succeeds: undefined, beneficiaries }), /succeeds another/)
  const after = await deploy(publicly)
  assert.notEqual(after.deploymentId, before.deploymentId)
  for (const name of CONTRACT_NAMES) {
    const kept = name === 'OPG' || name === 'GenesisAllocator'
    assert.equal(after.contracts[name] === before.contracts[name], kept, name)
  }
  assert.deepEqual(await deploy(publicly), { ...after, fresh: false })
  const client = publicClientOf({ chainId: on.devnet.chainId, rpcUrl: on.devnet.url })
  const supplyOf = (address: Address) =>
    client.readContract({
      address,
      abi: parseAbi(['function circulating() view returns (uint256)']),
      functionName: 'circulating',
    })
  assert.equal(await supplyOf(after.contracts.SupplyView), await supplyOf(before.contracts.SupplyView))
  // Stake of the new deployment votes in it, by the same token.
  const votes = parseAbi(['function token() view returns (address)'])
  assert.equal(
    await client.readContract({ address: after.contracts.OpgVotes, abi: votes, functionName: 'token' }),
    before.contracts.OPG,
  )
})

test('a deployment is not continued with other contracts than it was begun with', async () => {
  await deploy(on.options())
  const journal = JSON.parse(readFileSync(on.options().journalFile, 'utf8')) as object
  const journalFile = path.join(on.folder, 'older.json')
  writeFileSync(journalFile, JSON.stringify({ ...journal, code: word('0c') }))
  const older = readFileSync(journalFile)
  await assert.rejects(deploy({ ...on.options(), journalFile }), /other contracts than these/)
  assert.deepEqual(readFileSync(journalFile), older)
})

test('a deployment succeeds no other chain, no half deployment, and nothing that is not there', async () => {
  const journal = (file: string, change: object) => {
    const whole = JSON.parse(readFileSync(on.options().journalFile, 'utf8')) as object
    const at = path.join(on.folder, file)
    writeFileSync(at, JSON.stringify({ ...whole, ...change }))
    return at
  }
  const { contracts } = await deploy(on.options())
  const { OPG: _, ...tokenless } = contracts
  const refusals: [succeeds: string, reason: RegExp][] = [
    [path.join(on.folder, 'absent.json'), /no record/],
    [journal('far.json', { chainId: 8453 }), /another chain/],
    [journal('tokenless.json', { contracts: tokenless }), /names no token/],
    [
      journal('nothing.json', { contracts: { ...contracts, GenesisAllocator: account('demo').address } }),
      /not on this chain/,
    ],
    [
      journal('stranger.json', { contracts: { ...contracts, OPG: account('demo').address } }),
      /never paid out/,
    ],
  ]
  for (const [succeeds, reason] of refusals) {
    const journalFile = path.join(on.folder, 'refused.json')
    await assert.rejects(deploy({ ...on.options(), journalFile, succeeds }), (error: unknown) => {
      assert.ok(error instanceof AssayError && error.code === 'config')
      assert.match(error.message, reason)
      return true
    })
  }
})
