'use strict'

// What the types of the package declare, read by TypeScript itself.

const { join } = require('node:path')
const ts = require('typescript')

const root = join(__dirname, '..', '..')

/** The declarations of a few files, each with what it exports. */
class Declarations {
  #program
  #checker

  /** @param {String[]} files Their names, from the root of the package */
  constructor(...files) {
    this.#program = ts.createProgram(
      files.map((file) => join(root, file)),
      { module: ts.ModuleKind.NodeNext, types: ['node'], noEmit: true, skipLibCheck: true },
    )
    this.#checker = this.#program.getTypeChecker()
  }

  /**
   * @param {String} file
   * @return {String[]} The names that a program can import or reach by the namespace, sorted
   */
  exports(file) {
    return this.#exported(file)
      .map(({ name }) => name)
      .filter((name) => name !== 'export=' && name !== 'prototype')
      .sort()
  }

  /**
   * @param {String} file
   * @param {String} name A type that it exports
   * @return {String[]} The members that the package itself declares, and not Node or ws; sorted
   */
  members(file, name) {
    const symbol = this.#exported(file).find((exported) => exported.name === name)
    const type = this.#checker.getDeclaredTypeOfSymbol(symbol)
    const parts = type.isUnion() ? type.types : [type]
    const own = parts.flatMap((part) => part.getProperties()).filter(isOurs)
    return [...new Set(own.map((member) => member.name))].sort()
  }

  /** @return {String[]} The strings of a union of strings, sorted */
  strings(file, name) {
    const symbol = this.#exported(file).find((exported) => exported.name === name)
    return this.#checker
      .getDeclaredTypeOfSymbol(symbol)
      .types.map(({ value }) => value)
      .sort()
  }

  #exported(file) {
    const source = this.#program.getSourceFile(join(root, file))
    return this.#checker.getExportsOfModule(this.#checker.getSymbolAtLocation(source))
  }
}

function isOurs({ declarations = [] }) {
  return declarations.some((declaration) => {
    const { fileName } = declaration.getSourceFile()
    return !fileName.includes('/node_modules/')
  })
}

module.exports = Declarations
