/** A chain with Base's id: who may sign on it, and for what token. */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { getContractAddress } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { developmentAccount } from '../src/developmentAccounts.ts'
import { openGradientKeys, requireTokenOfOurs } from '../src/opengradient/keys.ts'

const fileIn = () => join(temporaryFolder('keys'), 'keys.json')

test('the keys are drawn once, for this network alone, and only their owner reads them', () => {
  const file = fileIn()
  const drawn = openGradientKeys(file)
  assert.deepEqual(openGradientKeys(file), drawn)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const others = openGradientKeys(fileIn())
  assert.notEqual(others.payer.address, drawn.payer.address)
  assert.notEqual(others.deployer.address, drawn.deployer.address)
})

test('keys that are public, missing or one and the same are refused', () => {
  const file = fileIn()
  openGradientKeys(file)
  const sound = JSON.parse(readFileSync(file, 'utf8'))
  const publicKey = developmentAccount(8).privateKey
  const changes = [
    { payer: publicKey },
    { deployer: publicKey },
    { payer: sound.deployer },
    { payer: undefined },
    { payer: '0x12' },
    { format: 'other' },
  ]
  for (const change of changes) {
    writeFileSync(file, JSON.stringify({ ...sound, ...change }))
    assert.throws(() => openGradientKeys(file), { code: 'malformed' })
  }
})

test('the token is a contract of the deployer that was drawn, or nothing starts', () => {
  const { deployer } = openGradientKeys(fileIn())
  const token = getContractAddress({ from: deployer.address, nonce: 3n })
  requireTokenOfOurs(token, deployer.address)
  const wrong = [
    // OPG on Base.
    '0xFbC2051AE2265686a469421b2C5A2D5462FbF5eB',
    // What the public development deployer makes first, which anybody may have made on Base.
    getContractAddress({ from: developmentAccount(0).address, nonce: 0n }),
    deployer.address,
  ] as const
  for (const address of wrong)
    assert.throws(() => requireTokenOfOurs(address, deployer.address), { code: 'config' })
})
