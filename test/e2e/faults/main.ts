/**
 * Starts a network of its own and plays scenes in which somebody lies: `npm run scenes`, or `npm run scenes -- forgery`.
 */
import path from 'node:path'
import { developmentAccount } from '@assay/chain'
import { createLocalNetwork } from '../localNetwork.ts'
import { sowByCommand } from './canary.ts'
import { CAST } from './liar.ts'
import { payersWhole } from './payersWhole.ts'
import { falseWitness } from './scenes/falseWitness.ts'
import { SCENES } from './scenes.ts'
import type { Stage } from './stage.ts'
import { storyOf } from './story.ts'

const say = (text = '') => void process.stdout.write(`${text}\n`)

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => SCENES.every((scene) => scene.name !== name))
if (unknown.length > 0) {
  process.stderr.write(
    `There is no scene ${unknown.join(', ')}. There are: ${SCENES.map(({ name }) => name).join(', ')}\n`,
  )
  process.exit(2)
}
const chosen = SCENES.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

say("Starting a network of its own; every key of it, the liars' too, is a public development key …")
const local = await createLocalNetwork({ ASSAY_TERMS: 'rehearsal' })
const leave = async (code: number) => {
  await local.close()
  process.exit(code)
}
process.once('SIGINT', () => leave(130))
process.once('SIGTERM', () => leave(143))
try {
  const { network } = local
  const { demo } = network.accounts
  if (demo === undefined) throw new Error('a development network has a demo account')
  const closers: (() => void)[] = []
  const stage: Stage = {
    network,
    payer: demo,
    simulatedRoot: path.join(local.home, 'simulated-root'),
    assay: local.assay,
    tell: (sentence) => say(`  ${sentence}`),
    atEnd: (close) => void closers.push(close),
  }
  const show = async (...command: string[]) => {
    const { stdout, stderr } = await local.assay(...command)
    say(`\n  $ assay ${command.join(' ')}`)
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) say(`  ${line}`)
  }
  for (const [at, scene] of chosen.entries()) {
    say(`\n${at + 1}. ${scene.title}\n`)
    const { justice, requests } = await scene.play(stage)
    const payments = await payersWhole(stage, justice.batch, requests)
    for (const line of storyOf(justice, payments)) say(`  ${line}`)
    await show('audit', justice.batch.batchId)
    for (const close of closers.splice(0)) close()
  }
  if (wanted.length === 0) {
    say('\nAnd a batch that is false on purpose: who would have called it valid without looking?\n')
    const { batchId } = await sowByCommand(stage)
    await show('audit', batchId)
  }
  say('\nWhat is left of it all\n')
  await show('validator', 'slashes')
  await show('stake', 'status')
  if (chosen.includes(falseWitness)) {
    await show('stake', 'status', developmentAccount(CAST.falseWitness).address)
  }
  say(`\n${chosen.length} lies, ${chosen.length} proven.`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  await leave(1)
}
await leave(0)
