// SPDX-License-Identifier: Apache-2.0
const version = 1;
// shop-front.localhost -> shop-api.localhost; with the environment's part: shop-front--staging.
const api = `${location.protocol}//${location.host.replace("shop-front", "shop-api")}/orders`;
const show = async () => {
  document.querySelector("#orders").value = (await (await fetch(api)).json()).orders;
};
document.querySelector("#order").addEventListener("click", async () => {
  await fetch(api, { method: "POST", body: `something, by the page of version ${version}` });
  await show();
});
show();
