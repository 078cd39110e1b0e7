declare module "node-gyp-build" {
  const nodeGypBuild: {
    /** The addon's path: build/Release, build/Debug, or the fitting one of prebuilds/. Throws when there is none. */
    resolve(packageRoot: string): string;
  };
  export default nodeGypBuild;
}
