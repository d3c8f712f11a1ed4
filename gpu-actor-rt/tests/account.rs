//! The front page's actors, end to end on the software GPU.

use gpu_actor_rt::prelude::*;

/// An account.
#[gpu_actor]
#[derive(Default, Debug)]
pub struct Account {
    balance: u64,
}

#[gpu_actor]
impl Account {
    #[handler]
    fn deposit(&mut self, amount: u64) -> u64 {
        self.balance += amount;
        self.balance
    }

    #[handler]
    fn transfer(&mut self, cx: &mut Cx, to: ActorId<Account>, amount: u64) -> bool {
        if self.balance < amount {
            return false;
        }
        self.balance -= amount;
        cx.tell(to.deposit(amount));
        true
    }
}

#[tokio::test]
async fn money_moves_between_actors_on_the_device() {
    let system = ActorSystem::start(Config::default()).await.unwrap();
    let (alice, bob) = (system.actor::<Account>("alice"), system.actor::<Account>("bob"));
    assert_eq!(alice.deposit(100).await.unwrap(), 100);
    bob.deposit(5).tell().unwrap();
    assert!(alice.transfer(bob.id().unwrap(), 60).await.unwrap());
    assert!(!alice.transfer(bob.id().unwrap(), 60).await.unwrap());
    system.drained().await.unwrap();
    assert_eq!(alice.deposit(0).await.unwrap(), 40);
    assert_eq!(bob.deposit(0).await.unwrap(), 65);
    system.shutdown().await.unwrap();
    println!("{:?}", system.stats());
}
