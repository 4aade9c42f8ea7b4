-- Eighth set over the demo shop: other ways to ask the same, and the same words out of place.

-- count: no. of inactive customers
select count(*) from customers where is_active = 0;

-- count: # of tickets in 2025
select count(*) from support_tickets where opened_at like '2025%';

-- count: No. of orders without payments
select count(*) from orders o where not exists (select 1 from payments p where p.order_id = o.id);

-- count: how many brands are in our catalog?
select count(distinct brand) from products;

-- count: how many orders came in over the phone in 2025?
select count(*) from orders where channel = 'phone' and order_date like '2025%';

-- metric: revenue over the web in 2025
select sum(total_amount) from orders where status <> 'cancelled' and channel = 'web' and order_date like '2025%';

-- count: how many payments were worth at least 1,000
select count(*) from payments where amount >= 1000;

-- count: how many orders were over 800
select count(*) from orders where total_amount > 800;

-- list: orders with a value of more than 1500
select id from orders where total_amount > 1500;

-- list: payments totalling over 1200 in 2026
select id from payments where amount > 1200 and paid_at like '2026%';

-- trap: is our stock worth it
null;

-- trap: what is it worth
null;

-- trap: products worth
null;

-- metric: how much is our stock worth?
select sum(stock_quantity * unit_cost) from products;

-- metric: value of the inventory by category
select category, sum(stock_quantity * unit_cost) from products group by 1;

-- trap: value of products
null;

-- metric: what was the value of returned orders in 2025
select sum(total_amount) from orders where status = 'returned' and order_date like '2025%';

-- metric: average value of an order in 2025
select avg(total_amount) from orders where status <> 'cancelled' and order_date like '2025%';

-- count: urgent tickets opened in 2025, how many were there?
select count(*) from support_tickets where priority = 'urgent' and opened_at like '2025%';

-- metric: failed payments, average amount, 2025
select avg(amount) from payments where status = 'failed' and paid_at like '2025%';

-- trap: captured payments, total wonder, 2025
null;

-- minmax: the highest and the lowest shipping cost in 2025
select max(shipping_cost), min(shipping_cost) from orders where order_date like '2025%';

-- minmax: average, lowest and highest unit price per brand
select brand, avg(unit_price), min(unit_price), max(unit_price) from products group by 1;

-- count: how many sign-ups did we have in May 2026
select count(*) from customers where signup_date like '2026-05%';

-- group: customer sign-ups by country
select country, count(*) from customers group by 1;

-- count: how many of last year's tickets were urgent?
select count(*) from support_tickets where priority = 'urgent' and opened_at like '2025%';

-- count: of the orders placed in 2025, how many were returned?
select count(*) from orders where status = 'returned' and order_date like '2025%';

-- share: what share of 2025 orders were returned
select 100.0 * sum(status = 'returned') / count(*) from orders where order_date like '2025%';

-- group: customer count by segment
select segment, count(*) from customers group by 1;

-- trend: ticket volume by month in 2026
select strftime('%Y-%m', opened_at), count(*) from support_tickets where opened_at like '2026%' group by 1;

-- top: top 5 countries by customer count
select country, count(*) from customers group by 1 order by 2 desc limit 5;

-- running: running order count by month in 2025
select m, sum(n) over (order by m) from (select strftime('%Y-%m', order_date) m, count(*) n from orders where order_date like '2025%' group by 1);

-- trap: count count
null;

-- group: For urgent tickets, list the average satisfaction by category
select category, avg(satisfaction) from support_tickets where priority = 'urgent' group by 1;

-- trend: In 2025, show revenue by month
select strftime('%Y-%m', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date like '2025%' group by 1;

-- group: For each segment, give the number of customers
select segment, count(*) from customers group by 1;

-- count: Among enterprise customers, how many are inactive?
select count(*) from customers where segment = 'enterprise' and is_active = 0;

-- trap: orders show revenue
null;

-- group: please break orders down by status
select status, count(*) from orders group by 1;

-- group: slice 2025 revenue by channel
select channel, sum(total_amount) from orders where status <> 'cancelled' and order_date like '2025%' group by 1;

-- trap: break revenue
null;

-- trap: revenue down by channel
null;

-- count: how many customers did we acquire in 2025?
select count(*) from customers where signup_date like '2025%';

-- trend: new customers gained per month in 2026
select strftime('%Y-%m', signup_date), count(*) from customers where signup_date like '2026%' group by 1;

-- trap: how much weight did customers gain
null;

-- anti: customers who bought in 2025 but not in 2026
select id from customers c where exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2025%') and not exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2026%');

-- anti: customers with orders in 2024 but none in 2025
select id from customers c where exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2024%') and not exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2025%');

-- trap: revenue but not in 2025
null;

-- superlative: dearest product in Books
select id from products where category = 'Books' order by unit_price desc limit 1;

-- superlative: which single customer spent the most in 2025
select customer_id from orders where status <> 'cancelled' and order_date like '2025%' group by 1 order by sum(total_amount) desc limit 1;

-- superlative: which month saw the fewest orders
select strftime('%Y-%m', order_date) from orders group by 1 order by count(*) limit 1;

-- superlative: on which date did we get the most orders?
select date(order_date) from orders group by 1 order by count(*) desc limit 1;

-- superlative: what was the month with the most orders in 2025
select strftime('%Y-%m', order_date) from orders where order_date like '2025%' group by 1 order by count(*) desc limit 1;

-- trap: orders single
null;

-- trap: saw the orders
null;

-- having: customers with more than 5000 in sales
select customer_id from orders where status <> 'cancelled' group by 1 having sum(total_amount) > 5000;

-- having: brands that brought in more than 250,000 in revenue
select p.brand from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 having sum(i.line_total) > 250000;

-- having: products that made over 10,000 in profit
select p.id from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 having sum(i.line_total - i.quantity * p.unit_cost) > 10000;

-- filter: orders with over 15 in shipping cost
select id from orders where shipping_cost > 15;

-- growth: by what percentage did orders grow from 2024 to 2025?
select (select count(*) from orders where order_date like '2025%') * 100.0 / (select count(*) from orders where order_date like '2024%') - 100;

-- growth: what was the percentage change in revenue from 2024 to 2025
select (select sum(total_amount) from orders where status <> 'cancelled' and order_date like '2025%') * 100.0 / (select sum(total_amount) from orders where status <> 'cancelled' and order_date like '2024%') - 100;

-- trap: revenue grow
null;

-- nested: average number of orders per customer, counting only enterprise customers
select avg(n) from (select count(*) n from orders o join customers c on c.id = o.customer_id where c.segment = 'enterprise' group by c.id);

-- nested: how many orders does a customer place on average?
select avg(n) from (select count(*) n from orders group by customer_id);

-- nested: what is the average number of line items in an order
select avg(n) from (select count(*) n from order_items group by order_id);

-- nested: how many tickets does a customer raise?
select avg(n) from (select count(*) n from support_tickets group by customer_id);

-- filter: products with less than 5 left in stock
select id from products where stock_quantity < 5;

-- filter: how many products have fewer than 20 units left
select count(*) from products where stock_quantity < 20;

-- lookup: how many units of the Acme Blender are in stock?
select stock_quantity from products where name = 'Acme Blender';

-- lookup: How many Orbit Webcams are left in stock?
select stock_quantity from products where name = 'Orbit Webcam';

-- group: units in stock by category
select category, sum(stock_quantity) from products group by 1;

-- count: how many Kasa products do we have in stock
select count(*) from products where brand = 'Kasa' and stock_quantity > 0;

-- top: top 3 products by 2025 revenue
select p.id from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and o.order_date like '2025%' group by 1 order by sum(i.line_total) desc limit 3;

-- rank: rank the channels by 2025 orders
select channel, count(*) from orders where order_date like '2025%' group by 1;

-- filter: orders with no shipping cost
select id from orders where shipping_cost = 0;

-- count: how many tickets took longer than 5 days to resolve?
select count(*) from support_tickets where julianday(closed_at) - julianday(opened_at) > 5;

-- filter: products priced between 50 and 100 in Electronics
select id from products where unit_price between 50 and 100 and category = 'Electronics';

-- metric: what did we take in shipping fees in 2025
select sum(shipping_cost) from orders where order_date like '2025%';

-- metric: total spent by customer 11
select sum(total_amount) from orders where status <> 'cancelled' and customer_id = 11;

-- count: how many customers have only ordered once?
select count(*) from (select customer_id from orders group by 1 having count(*) = 1);

-- count: how many orders included an Electronics product
select count(distinct i.order_id) from order_items i join products p on p.id = i.product_id where p.category = 'Electronics';

-- group: number of customers per country, highest first
select country, count(*) from customers group by 1;

-- trap: what did customer 11 buy
null;

-- trap: show me the numbers
null;

-- trap: how many orders were won
null;

-- trap: how many tickets joined in 2025
null;

-- trap: divide revenue by orders
null;

-- trap: split revenue
null;

-- trap: total value of our customers
null;

-- growth: what was the increase in revenue from Q1 2026 to Q2 2026
select (select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-04-01' and order_date < '2026-07-01') * 100.0 / (select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' and order_date < '2026-04-01') - 100;

-- metric: average satisfaction for tickets about billing
select avg(satisfaction) from support_tickets where category = 'billing';

-- nested: how much do enterprise customers spend on average?
select avg(n) from (select sum(o.total_amount) n from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' and c.segment = 'enterprise' group by c.id);

-- anti: how many customers are without a single order
select count(*) from customers c where not exists (select 1 from orders o where o.customer_id = c.id);

-- count: number of refunds in 2025
select count(*) from payments where status = 'refunded' and paid_at like '2025%';

-- trap: customers with a single
null;
